#!/bin/sh
# Build the wolfSSL that sluss is written for into deps/ of the source tree.
# Run by `./autogen.sh --deps`; safe to run again: what is built is kept.

set -eu

version=5.9.2
sha256=2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114

usage()
{
	cat <<'END'
Usage: etc/wolfssl.sh [--tsan]

Builds wolfSSL as a static library into deps/wolfssl, or, with --tsan, built
with ThreadSanitizer into deps/wolfssl-tsan. Does nothing when that is there
already, built from the same version with the same flags and compiler.

Where the source comes from, in this order:
  1. the file named by WOLFSSL_TARBALL in the environment;
  2. the copy that an earlier run kept in deps/cache;
  3. the pinned version from Debian's source archive, fetched and verified by
     apt in a state folder of its own: the machine's apt is not changed;
  4. a newer version from the same signed index, with a warning.

CC and MAKEFLAGS are respected.
END
}

# wolfSSL's configure flags: one a line, each with its reason. Flags that are
# missing on purpose: opensslextra and opensslall (they accept every CA as a
# trusted peer and cost 50 KB a connection), sessioncerts (18 KB a session),
# earlydata, secure-renegotiation, postauth, rpk (attack surface nobody asked
# for), asynccrypt (crashes with a private key behind a callback), fpecc (0.8 MB
# a thread, leaked).
configure_flags()
{
	grep -v '^#' <<'END' | sed 's/[[:space:]]*#.*//'
--enable-static                      # linked into sluss: one file to install
--disable-shared                     # nothing here links it dynamically
--disable-examples                   # only the library is wanted
--disable-crypttests                 # likewise
--disable-oldtls                     # no TLS 1.0 and 1.1
--disable-dh                         # no finite-field DH: slow, invites DoS
--enable-harden-tls                  # RSA keys of 2048 bits at least
--enable-intelasm                    # AES-NI and AVX, chosen at run time
--enable-sp=yes                      # fast P-256, P-384 and RSA
--enable-sp-asm                      # the same in assembly
--enable-aesgcm=small                # 1 KB less a connection; as fast with AES-NI
--enable-curve25519                  # X25519, and its hybrid with ML-KEM
--enable-ed25519                     # Ed25519 certificates
--enable-session-ticket              # the only kind of resumption we offer
--enable-sni                         # choosing a service by name
--enable-alpn                        # protocol negotiation
--enable-psk                         # PSKsecrets of stunnel's format
--enable-altcertchains               # unknown CAs are skipped, not added to the CTX
--enable-crl                         # revocation lists
--enable-ocsp                        # what stapling is built upon
--enable-ocspstapling=no-multi       # stapling of one response
--enable-ip-alt-name                 # IP addresses in certificates
--enable-keygen                      # the keygen command
--enable-certgen                     # likewise
--enable-certreq                     # likewise: signing requests
--enable-certext                     # likewise: key usage and alternative names
--enable-enckeys                     # keys under a passphrase
--enable-pwdbased                    # likewise: PBKDF2
--enable-pkcallbacks                 # the private key may live in another process
--enable-cryptocb                    # AES-GCM may go to a faster library
--enable-cryptocbutils               # likewise: hooks that set and free keys
--enable-context-extra-user-data     # our object reachable from ticket callbacks
--enable-keying-material             # exporters (RFC 5705)
END
}

# The same for the C compiler. wolfSSL copies every -D into its options.h, where
# our own configure finds it; so no -D belongs here that the program must not see.
compiler_flags()
{
	grep -v '^#' <<'END' | sed 's/[[:space:]]*#.*//'
-O2
-g
-fPIC                                # sluss is linked as a PIE
-fstack-protector-strong             # this library parses what strangers send
-DWOLFSSL_ALWAYS_VERIFY_CB           # the callback judges good leaves, too
-DWOLFSSL_VERIFY_CB_ALL_CERTS        # ... and good intermediates
-DMICRO_SESSION_CACHE                # the global session cache is off: keep it tiny
-DNO_SESSION_CACHE_REF               # likewise
-DNO_CLIENT_CACHE                    # likewise
-DWOLFSSL_ALT_NAMES                  # alternative names in certificates we make
-DWOLFSSL_TICKET_EXTRA_PADDING_SZ=64 # room for the identity inside a ticket
-DWOLF_CRYPTO_CB_AES_SETKEY          # cryptocbutils forgets this hook
-DWOLFSSL_AEAD_ONLY                  # no CBC suites
-DMAX_PSK_ID_LEN=4096               # a ticket of another server is passed over, not an error
-DMAX_HANDSHAKE_SZ=131072            # 500 CA names in a request exceed the default 18 KiB
END
	# The assembly stays in: TSan does not see into it, so a race inside it
	# would be missed, but the code tested is the code shipped, and the buffers
	# it works on are also touched by C code, which TSan does see.
	if [ "$variant" = tsan ]; then
		echo -fsanitize=thread
		echo -fno-omit-frame-pointer
	fi
}

say()
{
	echo "wolfssl.sh: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

warn_loudly()
{
	{
		echo '***********************************************************************'
		printf '*** %s\n' "$@"
		echo '***********************************************************************'
	} >&2
}

hash_of()
{
	sha256sum "$1" | cut -d ' ' -f 1
}

# Whatever decides how the library comes out, except where its source came from.
recipe()
{
	echo "version $version"
	echo "compiler ${CC:-cc}, $(${CC:-cc} --version | head -n 1)"
	configure_flags
	compiler_flags
}

# True when the library in $prefix is the one that this script would build.
up_to_date()
{
	[ -f "$prefix/lib/libwolfssl.a" ] && [ -f "$prefix/recipe" ] || return 1
	recipe | cmp -s - "$prefix/recipe" || return 1
	[ -z "${WOLFSSL_TARBALL:-}" ] ||
	    [ "$(hash_of "$WOLFSSL_TARBALL")" = "$(cat "$prefix/source.sha256")" ]
}

# apt with lists, cache and sources of its own. The rest of its configuration
# (proxy, keyrings, pins) is the machine's. The sandbox user cannot write here.
private_apt()
{
	tool=$1
	shift
	"$tool" -q \
	    -o Dir::State="$apt/state" -o Dir::State::lists=lists \
	    -o Dir::Cache="$apt/cache" \
	    -o Dir::Etc::sourcelist="$apt/sources.list" \
	    -o Dir::Etc::sourceparts="$apt/parts" \
	    -o APT::Sandbox::User=root \
	    "$@"
}

# The archives that this machine's apt is configured with, best first: those that
# say they are Debian, then those that say nothing, because apt has no index of them
# yet. The security archive, which has other packages, is left out.
archives()
{
	for known in --release-info --no-release-info; do
		# shellcheck disable=SC2016 # apt's variables, not the shell's
		apt-get indextargets $known 'Created-By: Packages' \
		    --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)'
	done | awk -F '|' '
		$3 ~ /security/				{ next }
		$1 == "Debian" && $2 == "Debian"	{ debian[$3] }
		$1 !~ /^[A-Za-z]/			{ silent[$3] }
		$1 ~ /^[A-Za-z]/ && $1 != "Debian"	{ other[$3] }
		END {
			for (uri in debian)
				print uri
			for (uri in silent)
				if (!(uri in debian) && !(uri in other))
					print uri
		}'
}

# Versions of wolfSSL's source package in the private index, newest first.
indexed_versions()
{
	private_apt apt-cache showsrc wolfssl 2>/dev/null |
	    sed -n 's/^Version: //p' | sort -rVu
}

# Fetch one version of the index into deps/cache; apt verifies it.
download()
{
	rm -rf "$apt/download"
	mkdir "$apt/download"
	(cd "$apt/download" &&
	    private_apt apt-get source --download-only --tar-only "wolfssl=$1") >&2 ||
	    return 1
	found=$(find "$apt/download" -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)
	[ -n "$found" ] || return 1
	tarball=$cache/${found##*/}
	mv "$found" "$tarball"
}

# Point the private apt at a suite of an archive and read its index; further
# arguments are options for apt.
use_suite()
{
	signed=
	for keyring in /usr/share/keyrings/debian-archive-keyring.gpg \
	    /usr/share/keyrings/debian-archive-keyring.pgp; do
		[ ! -f "$keyring" ] || signed=" [signed-by=$keyring]"
	done
	echo "deb-src$signed $1 $2 main" > "$apt/sources.list"
	shift 2
	rm -rf "$apt/state/lists"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
	private_apt apt-get update -o APT::Update::Error-Mode=any "$@" >&2
}

# Look for the pinned version: in sid, where it is uploaded, and in testing,
# where it lingers after sid has gone on. An index that is out of date (a snapshot, a
# mirror that lags) will do: the SHA-256 above says which file is the right one.
fetch_pinned()
{
	for archive in $(archives); do
		for suite in sid testing; do
			use_suite "$archive" "$suite" -o Acquire::Check-Date=false ||
			    continue
			for v in $(indexed_versions); do
				case $v in
				$version-*|$version+*) download "$v" && return 0;;
				esac
			done
		done
	done
	return 1
}

# The newest version that is newer than the pinned one and of its series or later.
fetch_newer()
{
	for archive in $(archives); do
		use_suite "$archive" sid || continue
		newest=$(indexed_versions | head -n 1)
		if [ -n "$newest" ] && dpkg --compare-versions "$newest" gt "$version"; then
			download "$newest" && return 0
		fi
	done
	return 1
}

# Sets $tarball.
find_source()
{
	if [ -n "${WOLFSSL_TARBALL:-}" ]; then
		[ -f "$WOLFSSL_TARBALL" ] || die "WOLFSSL_TARBALL: no such file: $WOLFSSL_TARBALL"
		tarball=$WOLFSSL_TARBALL
		[ "$(hash_of "$tarball")" = "$sha256" ] || warn_loudly \
		    "WOLFSSL_TARBALL is not the wolfSSL $version that sluss was tested with."
		return
	fi

	tarball=$cache/wolfssl_$version.orig.tar.gz
	if [ -f "$tarball" ] && [ "$(hash_of "$tarball")" = "$sha256" ]; then
		return
	fi

	if command -v apt-get > /dev/null; then
		apt=$work/apt
		mkdir -p "$apt"
		if fetch_pinned; then
			[ "$(hash_of "$tarball")" = "$sha256" ] ||
			    die "the archive's wolfSSL $version does not have the SHA-256 $sha256"
			return
		fi
		if fetch_newer; then
			warn_loudly "wolfSSL $version is no longer in Debian's archive." \
			    "Building ${tarball##*/} instead: signed by Debian," \
			    "but sluss was not tested with it."
			return
		fi
	fi
	die "found no source of wolfSSL $version. Download its source archive
wolfssl-$version-stable.tar.gz from the wolfSSL project on a machine that can, and run
    WOLFSSL_TARBALL=/path/to/the/file $0${1:+ $1}
or build wolfSSL yourself with the flags listed in this script, and give its
prefix to sluss: ./configure --with-wolfssl=DIR"
}

build()
{
	mkdir "$work/src"
	tar -xf "$tarball" -C "$work/src" --strip-components=1
	cd "$work/src"
	# Archives made from version control carry no configure.
	[ -x configure ] || ./autogen.sh

	flags=$(compiler_flags | tr '\n' ' ')
	# shellcheck disable=SC2046 # one word a line, without blanks inside
	./configure --prefix="$prefix" $(configure_flags) CFLAGS="${flags% }"
	make -j"$(nproc)"
	make install DESTDIR="$work/stage"
}

# The finished library appears in one step, so that nobody sees half of it.
put_in_place()
{
	new=$work/stage$prefix
	[ -f "$new/lib/libwolfssl.a" ] || die "the build left no libwolfssl.a"
	recipe > "$new/recipe"
	hash_of "$tarball" > "$new/source.sha256"
	rm -rf "$prefix"
	mv "$new" "$prefix"
}

variant=plain
case $#:${1:-} in
0:)		;;
1:--tsan)	variant=tsan;;
1:--help)	usage; exit 0;;
*)		usage >&2; exit 1;;
esac

deps=$(cd "$(dirname "$0")/.." && pwd)/deps
cache=$deps/cache
prefix=$deps/wolfssl
[ "$variant" = plain ] || prefix=$deps/wolfssl-$variant
mkdir -p "$cache"

# Two runs at once (two terminals, two jobs of a CI) would undo each other.
exec 9> "$deps/.lock"
flock 9

if up_to_date; then
	[ "$(cat "$prefix/source.sha256")" = "$sha256" ] || warn_loudly \
	    "$prefix was not built from the wolfSSL $version that sluss was tested with."
	say "$prefix is up to date"
	exit 0
fi

work=$(mktemp -d "$deps/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

find_source "$@"
say "building ${tarball##*/} for $prefix (log: deps/$variant.log)"
# Not `if ! (build)`: a condition would switch off set -e inside.
set +e
(set -e; build) > "$deps/$variant.log" 2>&1
result=$?
set -e
if [ "$result" -ne 0 ]; then
	tail -n 40 "$deps/$variant.log" >&2
	die "the build failed; its log is deps/$variant.log"
fi
put_in_place
say "$prefix is ready"
