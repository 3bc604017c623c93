#!/bin/sh
# make demo: shows the main job for real. Two throw-away identities, a server tunnel
# in front of an echo, a client tunnel, and between the two a relay that records all
# that the wire carries:
#
#     text or file -> client tunnel -> relay -> server tunnel -> echo, and back
#
# It fails when anything comes back changed, when a side is not the one expected, or when
# plain text was on the wire. Nothing stays behind: no process, no file.
#
# Environment: SLUSS and RELAY, the paths of the programs (RELAY is
# tests/tools/relay.c); TMPDIR, where to work (about 300 MiB).

set -eu
LC_ALL=C
export LC_ALL

for program in "${SLUSS:?}" "${RELAY:?}"; do
	[ -x "$program" ] || { echo "demo: there is no program $program" >&2; exit 1; }
done
marker='Nobody between the two tunnels can read this line.'
mib=64
patience=120
bound='bound to 127.0.0.1:\([0-9]*\)'

dir=$(mktemp -d "${TMPDIR:-/tmp}/sluss-demo.XXXXXX")
running='' waiting=''

cleanup()
{
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	# shellcheck disable=SC2086 # a list of process ids
	[ -z "$running$waiting" ] || kill $running $waiting 2> /dev/null || :
	wait
	rm -rf "$dir"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

fail()
{
	printf '\nThe demo FAILED: %s\n' "$*" >&2
	for log in "$dir"/*.log; do
		[ ! -s "$log" ] || sed "s:^:${log##*/}\: :" "$log" >&2
	done
	exit 1
}

# start NAME COMMAND ...: in the background; its output is NAME.out, its log NAME.log
start()
{
	start_name=$1
	shift
	: > "$dir/$start_name.out"
	: > "$dir/$start_name.log"
	"$@" > "$dir/$start_name.out" 2> "$dir/$start_name.log" < /dev/null &
	running="$running $!"
}

# finish NAME INPUT COMMAND ...: to its end, but not for ever. In the background, since
# a shell that waits for a command in front hears no signal.
finish()
{
	finish_name=$1 finish_input=$2
	shift 2
	timeout "$patience" "$@" < "$dir/$finish_input" \
	    > "$dir/$finish_name.out" 2> "$dir/$finish_name.log" &
	waiting=$!
	wait "$waiting" || fail "\"$finish_name\" ended with status $?"
	waiting=''
}

# line FILE PATTERN: what the pattern's group matches in the file, once it is there
line()
{
	tries=0
	while :; do
		found=$(sed -n "s/^.*$2.*\$/\\1/p" "$dir/$1" | sed -n '$p')
		[ -z "$found" ] || break
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "waited in vain for a line in $1"
		sleep 0.05
	done
	printf '%s\n' "$found"
}

identity()
{
	"$SLUSS" keygen "$dir/$1" --dns "$1.example" > "$dir/$1.made" ||
	    fail "no identity \"$1\""
	line "$1.made" 'SHA-256 fingerprint: \([0-9A-F:]*\)'
}

hex()
{
	od -A n -t x1z -j "$2" -N "$3" "$1" | sed 's/^/     /'
}

sha256()
{
	sha256sum | cut -d ' ' -f 1
}


echo "1. Two throw-away identities, made by sluss keygen"
server_id=$(identity server)
client_id=$(identity client)
echo "   server.pem  SHA-256 $(echo "$server_id" | cut -c 1-47)..."
echo "   client.pem  SHA-256 $(echo "$client_id" | cut -c 1-47)..."

start server "$SLUSS" server --accept 127.0.0.1:0 --connect echo: \
    --cert "$dir/server.pem" --peer "$dir/client.crt"
server_port=$(line server.log "$bound")
start relay "$RELAY" record "$server_port" "$dir/wire"
relay_port=$(line relay.out "$bound")
start client "$SLUSS" client --accept 127.0.0.1:0 --connect "127.0.0.1:$relay_port" \
    --cert "$dir/client.pem" --peer "$dir/server.crt"
client_port=$(line client.log "$bound")
echo "2. Started: client tunnel -> relay that records the wire -> server tunnel -> echo"

echo "3. A line of text through standard input and output (client --accept -)"
echo "$marker" > "$dir/text"
finish stdio text "$SLUSS" client --accept - --connect "127.0.0.1:$relay_port" \
    --cert "$dir/client.pem" --peer "$dir/server.crt"
cmp -s "$dir/text" "$dir/stdio.out" || fail 'the text came back changed'
echo "   sent and back:  $(cat "$dir/stdio.out")"

# The log's line at a tunnel's end says what was negotiated, and with whom.
line stdio.log ': closed; \(.*\)' > "$dir/client.said"
line server.log ': closed; \(.*\)' > "$dir/server.said"
grep -q "$server_id" "$dir/client.said" || fail 'the server was not the one expected'
grep -q "$client_id" "$dir/server.said" || fail 'the client was not the one expected'
said='^\([^ ]*\) \([^ ]*\) \([^ ]*\); peer \(.*\) SHA-256 \([0-9A-F:]\{47\}\).*'
sed "s/$said/   negotiated:     \\1, \\2, group \\3/" "$dir/client.said"
sed "s/$said/   server proved:  \\4, SHA-256 as made above/" "$dir/client.said"
sed "s/$said/   client proved:  \\4, SHA-256 as made above/" "$dir/server.said"

echo "4. A file of $mib MiB through TCP: random bytes, and that line once in each MiB"
n=0
while [ "$n" -lt "$mib" ]; do
	echo "$marker"
	head -c $((1048576 - ${#marker} - 1)) /dev/urandom
	n=$((n + 1))
done > "$dir/file"
before=$(sha256 < "$dir/file")
began=$(date +%s%N)
finish send file "$RELAY" send "$client_port"
took=$((($(date +%s%N) - began) / 1000000 + 1))
after=$(sha256 < "$dir/send.out")
[ "$before" = "$after" ] || fail "the file came back changed: $before, $after"
echo "   sent:  $before"
echo "   back:  $after"
echo "   SHA-256 equal at both ends; $((mib * 1000 / took)) MiB/s each way at once ($took ms)"

echo "5. What the relay saw go by: $(($(wc -c < "$dir/wire.up") / 1048576)) MiB there," \
    "$(($(wc -c < "$dir/wire.down") / 1048576)) MiB back"
for recorded in wire.up wire.down; do
	[ "$(wc -c < "$dir/$recorded")" -gt $((mib * 1048576)) ] ||
	    fail "the relay did not record the file in $recorded"
	! grep -q -F "$marker" "$dir/$recorded" || fail "plain text in $recorded"
done
# The same search must find what is there, or it would prove nothing.
grep -q -F "$marker" "$dir/file" || fail 'the search for plain text finds nothing'
echo "   the file begins with"
hex "$dir/file" 0 48
echo "   the wire in the middle of the file"
hex "$dir/wire.up" $((mib * 524288)) 48
echo "   The line of text is in the file $mib times, on the wire never."

for pid in $running; do
	kill "$pid"
	wait "$pid" || fail "a program ended with status $?"
done
running=''
echo "Done: both tunnels have ended, and nothing is left behind."
