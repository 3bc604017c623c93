#!/bin/sh
# Make ./configure; with --deps, first install what building and testing need.

set -eu

usage()
{
	cat <<'END'
Usage: ./autogen.sh [--deps | --deps=test]

Makes ./configure with autoreconf.

  --deps        first install the build's tools with apt (only those that are
                missing; asks for root through sudo when needed), and build the
                TLS library into deps/wolfssl
  --deps=test   also install the programs that the tests talk to (openssl, socat,
                stunnel, Redis, nginx, PostgreSQL, Exim, Dovecot, slapd,
                haproxy, Python and others) and what make bench needs, and
                build deps/wolfssl-tsan for `make check-tsan`
  --help        print this text

No service is started, and PostgreSQL makes no cluster. But Debian's packages do
ask the init system to start their services at the next boot, as they always do.
END
}

# libtool makes wolfSSL's own configure; sluss does not use it.
build_packages='gcc libc6-dev make autoconf automake libtool pkg-config check ca-certificates'
# Only there does it exist; ./configure does without.
[ "$(uname -m)" != x86_64 ] || build_packages="$build_packages libipsec-mb-dev"
test_packages='openssl libssl-dev socat stunnel4 gnutls-bin curl redis-server redis-tools nginx
    libnginx-mod-stream postgresql postgresql-contrib exim4-daemon-light
    dovecot-imapd dovecot-pop3d slapd ldap-utils haproxy hitch gnuplot-nox
    python3 python3-cryptography
    strace procps iproute2 systemd nftables valgrind libfaketime clang libclang-rt-dev'

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Those of the packages named that are not installed.
missing()
{
	for package; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
		[ "$status" = installed ] || echo "$package"
	done
}

apt_install()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 \
	    --no-install-recommends "$@"
}

policy=/usr/sbin/policy-rc.d
cluster_conf=/etc/postgresql-common/createcluster.conf
policy_is_ours=no
cluster_conf_saved=

# Debian starts a service when its package is installed, unless this file forbids
# it. One that exists already is the administrator's and is left alone.
forbid_services()
{
	[ ! -e "$policy" ] || return 0
	policy_is_ours=yes
	# shellcheck disable=SC2016 # expanded by the inner shell
	as_root sh -c 'printf "#!/bin/sh\nexit 101\n" > "$1" && chmod 755 "$1"' sh "$policy"
}

# postgresql-common brings the file that says whether installing PostgreSQL makes
# a cluster; it is installed first, so that the file can be changed in between.
forbid_cluster()
{
	[ -n "$(missing postgresql)" ] || return 0
	apt_install postgresql-common
	cluster_conf_saved=$(mktemp)
	cp "$cluster_conf" "$cluster_conf_saved"
	# shellcheck disable=SC2016
	as_root sh -c 'echo "create_main_cluster = false" >> "$1"' sh "$cluster_conf"
}

restore_machine()
{
	if [ "$policy_is_ours" = yes ]; then
		as_root rm -f "$policy"
		policy_is_ours=no
	fi
	if [ -n "$cluster_conf_saved" ]; then
		# shellcheck disable=SC2016 # cat keeps the file's owner and mode
		as_root sh -c 'cat "$1" > "$2"' sh "$cluster_conf_saved" "$cluster_conf"
		rm -f "$cluster_conf_saved"
		cluster_conf_saved=
	fi
}

install_packages()
{
	wanted=$(missing "$@")
	[ -n "$wanted" ] || return 0
	command -v apt-get > /dev/null || {
		echo "autogen.sh: there is no apt here; please install:" "$@" >&2
		exit 1
	}
	trap restore_machine EXIT
	trap 'exit 1' HUP INT TERM
	as_root apt-get update -qq
	forbid_services
	case " $(echo "$wanted" | tr '\n' ' ')" in
	*' postgresql '*) forbid_cluster;;
	esac
	# shellcheck disable=SC2086 # a list of names
	apt_install $wanted
	restore_machine
}

cd "$(dirname "$0")"

# The lists are split into words on purpose.
# shellcheck disable=SC2086
case $#:${1:-} in
0:)
	;;
1:--deps)
	install_packages $build_packages
	etc/wolfssl.sh
	;;
1:--deps=test)
	install_packages $build_packages $test_packages
	etc/wolfssl.sh
	etc/wolfssl.sh --tsan
	;;
1:--help)
	usage
	exit 0
	;;
*)
	echo "autogen.sh: unknown argument: $*" >&2
	usage >&2
	exit 1
	;;
esac

autoreconf --install
