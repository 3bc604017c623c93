#include "table_priv.h"

#define YEAR 31536000u /* seconds: bounds times, so that milliseconds fit anywhere */

#define GLOBAL(field) .scope = OPTION_GLOBAL, .offset = offsetof(struct config, field)
#define SERVICE(field) \
	.scope = OPTION_SERVICE, .offset = offsetof(struct conf_service, field)
#define BOTH .commands = OPTION_FOR_BOTH
#define RANGE(least, most) .min = (least), .max = (most)
#define OURS .ours = true
#define WORDS(...) .words = (const char *const[]){ __VA_ARGS__, NULL }

/* Not for us to do: judged by its shape, then refused but for the harmless value. */
#define REFUSED(why) .status = OPTION_REFUSED, .note = (why)
#define IGNORED(why) .status = OPTION_IGNORED, .note = (why)

#define NO_ENGINES "wolfSSL has no engines and no providers"
#define OWN_SEED "random numbers come from the kernel"

/* A row is to be read as one: */
/* clang-format off */
/* In the order of help: what one must give, then what one may; of files only what the
 * commands say otherwise; at the end what stunnel has and sluss has not. */
const struct option option_table[] = {

	/* Where, and what for. */

	{ .name = "client", .type = OPTION_FLAG, SERVICE(client),
	    .argument = "yes|no", .initial = "no",
	    .help = "Accept plain connections and speak TLS to the target, instead of the "
	        "other way round." },
	{ .name = "accept", .type = OPTION_ADDRS, SERVICE(accept), BOTH,
	    .argument = "ADDRESS",
	    .help = "Where to listen: a port, host:port, the path of a unix socket, "
	        "or, in client mode, - for standard input and output." },
	{ .name = "connect", .type = OPTION_ADDRS, SERVICE(connect), BOTH,
	    .argument = "ADDRESS",
	    .help = "Where to connect, tried in the order given: a port of this "
	        "machine, host:port, the path of a unix socket, or, in server mode, - "
	        "for standard input and output or echo: for a built-in echo." },
	{ .name = "cert", .type = OPTION_PATHS, SERVICE(cert), BOTH,
	    .argument = "FILE",
	    .help = "Our own certificate in PEM, followed by those of the CAs between, "
	        "if any; or a PKCS#12 file with the key in it. A server can have one of each "
	        "type of key, ECDSA, RSA and Ed25519, and shows each client one that it can use." },
	{ .name = "key", .type = OPTION_PATHS, SERVICE(key), BOTH,
	    .argument = "FILE",
	    .help = "The private key of our certificate, or of one of them, in PEM; without it, "
	        "it is looked for in the certificate's file." },
	{ .name = "keyPass", .type = OPTION_PATH, SERVICE(key_pass), BOTH, OURS,
	    .argument = "FILE", RANGE(1, 0),
	    .help = "A file that holds the passphrase of an encrypted key or PKCS#12 file, in "
	        "one line; without it, it is asked for on the terminal, if there is one." },

	/* Who may pass. */

	{ .name = "peer", .type = OPTION_PATHS, SERVICE(peer), BOTH, OURS,
	    .argument = "FILE",
	    .help = "Let pass exactly the certificates in this PEM file, by "
	        "fingerprint; their dates still count." },
	{ .name = "CAfile", .type = OPTION_PATHS, SERVICE(cafile), BOTH,
	    .argument = "FILE",
	    .help = "Let pass the certificates that the CAs in this PEM file have "
	        "issued; together with peer, both must hold. The word system stands for the "
	        "CAs of this machine." },
	{ .name = "CApath", .type = OPTION_PATHS, SERVICE(capath), BOTH,
	    .argument = "FOLDER",
	    .help = "The same for every PEM file in a folder, read at the start." },
	{ .name = "checkHost", .type = OPTION_HOSTS, SERVICE(checkhost), BOTH,
	    .argument = "HOST",
	    .help = "The host name or IP address that the peer's certificate must "
	        "have, or one of them; in client mode with a CA the default is the "
	        "host to connect to." },
	{ .name = "checkIP", .type = OPTION_IPS, SERVICE(checkip), BOTH,
	    .argument = "ADDRESS",
	    .help = "The IP address that the peer's certificate must have, or one of "
	        "them; one of all checkHost, checkIP and checkEmail lines must hold." },
	{ .name = "checkEmail", .type = OPTION_TEXTS, SERVICE(checkemail), BOTH,
	    .argument = "EMAIL",
	    .help = "The email address that the peer's certificate must have, or one of "
	        "them." },
	{ .name = "allow", .type = OPTION_ALLOW, SERVICE(allow), BOTH, OURS,
	    .argument = "RULE",
	    .help = "Of those that are verified, let pass only whose certificate has all that "
	        "such a line says: cn, ou, dns, uri, ip, email, serial, cert-sha256, "
	        "spki-sha256, issuer-spki-sha256, each as KEY=VALUE; report in front: only "
	        "log who would be refused." },
	{ .name = "deny", .type = OPTION_DENY, SERVICE(deny), BOTH, OURS,
	    .argument = "RULE",
	    .help = "Refuse those whose certificate has all that such a line says, whatever "
	        "allow says." },
	{ .name = "PSKsecrets", .type = OPTION_PATH, SERVICE(psk_secrets), RANGE(1, 0),
	    .argument = "FILE",
	    .help = "Instead of certificates, keys shared beforehand, a line each, "
	        "identity:key; of 16 bytes at least, in hexadecimal or as they are." },
	{ .name = "PSKidentity", .type = OPTION_TEXT, SERVICE(psk_identity),
	    .argument = "NAME",
	    .help = "In client mode whose key of PSKsecrets to use; without it, the first." },
	{ .name = "insecure", .type = OPTION_FLAG, SERVICE(insecure), OURS,
	    .commands = OPTION_FOR_BOTH,
	    .argument = "yes|no", .initial = "no",
	    .help = "Let anyone pass, unverified: for trying out only." },
	{ .name = "verifyChain", .type = OPTION_FLAG, SERVICE(verify_chain),
	    .argument = "yes|no", .initial = "no",
	    .help = "Let pass the certificates that a CA of CAfile or CApath has issued; "
	        "in the strict profile this goes without saying." },
	{ .name = "verifyPeer", .type = OPTION_FLAG, SERVICE(verify_peer),
	    .argument = "yes|no", .initial = "no",
	    .help = "Let pass exactly the certificates in CAfile or CApath." },
	{ .name = "requireCert", .type = OPTION_FLAG, SERVICE(require_cert),
	    .argument = "yes|no", .initial = "no",
	    .help = "Let pass whoever presents a certificate, whichever it is." },
	{ .name = "verify", .type = OPTION_COUNT, SERVICE(verify), RANGE(0, 4),
	    .argument = "LEVEL",
	    .help = "stunnel's old way to say it: 0 ask only, 1 a chain if there is a "
	        "certificate, 2 verifyChain, 3 both, 4 verifyPeer." },
	{ .name = "redirect", .type = OPTION_ADDR, SERVICE(redirect),
	    .commands = OPTION_FOR_SERVER,
	    .argument = "ADDRESS",
	    .help = "Where clients go that may not pass, instead of being refused." },
	{ .name = "CRLfile", .type = OPTION_PATHS, SERVICE(crlfile), BOTH,
	    .argument = "FILE",
	    .help = "Lists of revoked certificates (CRLs), signed by the CAs; a peer must then "
	        "have one of its issuer that is in date and does not name it." },
	{ .name = "CRLpath", .type = OPTION_PATHS, SERVICE(crlpath), BOTH,
	    .argument = "FOLDER",
	    .help = "The same for every file with CRLs in a folder." },
	{ .name = "CRLcheckChain", .type = OPTION_FLAG, SERVICE(crl_check_chain), BOTH,
	    .argument = "yes|no", .initial = "no",
	    .help = "Ask for the CAs between the peer and the CAfile, too, whether they are "
	        "revoked." },
	{ .name = "crlPolicy", .type = OPTION_CHOICE, SERVICE(crl_policy), BOTH, OURS,
	    WORDS("strict", "soft"), .argument = "strict|soft", .initial = "strict",
	    .help = "What becomes of a peer when the CRL of its issuer is missing or out of "
	        "date: refused, or let pass with a line in the log." },
	{ .name = "OCSP", .type = OPTION_TEXT, SERVICE(ocsp_url), BOTH,
	    .argument = "URL",
	    .help = "The responder (http://) that is asked whether the peer's certificate is "
	        "revoked." },
	{ .name = "OCSPaia", .type = OPTION_FLAG, SERVICE(ocsp_aia), BOTH,
	    .argument = "yes|no", .initial = "no",
	    .help = "Ask the responders that certificates name themselves, about the peer and the "
	        "CAs between." },
	{ .name = "OCSPrequire", .type = OPTION_FLAG, SERVICE(ocsp_require), BOTH,
	    .argument = "yes|no", .initial = "yes",
	    .help = "Refuse a peer about whom no responder gives an answer." },
	{ .name = "OCSPnonce", .type = OPTION_FLAG, SERVICE(ocsp_nonce), BOTH,
	    .argument = "yes|no", .initial = "no",
	    .help = "Ask for each connection anew, with a nonce that the answer must have." },
	{ .name = "OCSPflag", .type = OPTION_TEXTS, SERVICE(ocsp_flags), BOTH,
	    .argument = "FLAG",
	    .help = "With NODELEGATED or NOINTERN, only answers count that the CA itself has "
	        "signed." },
	{ .name = "OCSPstaple", .type = OPTION_PATHS, SERVICE(ocsp_staple), OURS,
	    .commands = OPTION_FOR_SERVER, .argument = "FILE",
	    .help = "What a responder said of our certificate (DER), which is shown with it to "
	        "clients that ask, while it is in date." },
	{ .name = "OCSPstapleFetch", .type = OPTION_FLAG, SERVICE(ocsp_staple_fetch), OURS,
	    .commands = OPTION_FOR_SERVER, .argument = "yes|no", .initial = "no",
	    .help = "Ask the responder that our certificate names for that, in the background, and "
	        "again before it is out of date." },
	{ .name = "expiredPeers", .type = OPTION_CHOICE, SERVICE(expired_peers), BOTH, OURS,
	    WORDS("end", "keep"), .argument = "end|keep", .initial = "end",
	    .help = "What becomes of an open tunnel when the peer's certificate expires." },
	{ .name = "chainDepth", .type = OPTION_COUNT, SERVICE(chain_depth), BOTH, OURS,
	    .argument = "NUMBER", .initial = "8", RANGE(0, 8),
	    .help = "How many CAs may stand between the peer's certificate and one of the "
	        "CAfile." },
	{ .name = "securityLevel", .type = OPTION_COUNT, SERVICE(security_level), BOTH,
	    .argument = "LEVEL", .initial = "2", RANGE(0, 5),
	    .help = "The least size of keys: up to 2 RSA 2048 and ECDSA P-256, 3 RSA 3072, "
	        "4 RSA 7680 and P-384, 5 RSA 15360 and P-521; less than at level 2 is "
	        "never taken, nor RSA above 4096 bits: from level 4 on no RSA key will do." },

	/* The TLS protocol. */

	{ .name = "sslVersion", .type = OPTION_VERSIONS, SERVICE(version_min), BOTH,
	    .argument = "VERSION",
	    .help = "The only TLS version to speak, TLSv1.2 or TLSv1.3." },
	{ .name = "sslVersionMin", .type = OPTION_VERSION, SERVICE(version_min), BOTH,
	    .argument = "VERSION", .initial = "TLSv1.2",
	    .help = "The oldest TLS version to speak." },
	{ .name = "sslVersionMax", .type = OPTION_VERSION, SERVICE(version_max), BOTH,
	    .argument = "VERSION", .initial = "TLSv1.3",
	    .help = "The newest TLS version to speak." },
	{ .name = "ciphers", .type = OPTION_CIPHERS, SERVICE(suites12), BOTH,
	    .argument = "STRING",
	    .help = "The cipher suites of TLS 1.2 as OpenSSL writes them; only those with "
	        "forward secrecy and authenticated encryption are there to choose from." },
	{ .name = "ciphersuites", .type = OPTION_SUITES, SERVICE(suites13), BOTH,
	    .argument = "NAMES",
	    .help = "The cipher suites of TLS 1.3, with colons between." },
	{ .name = "curves", .alias = "curve", .type = OPTION_CURVES, SERVICE(groups), BOTH,
	    .argument = "NAMES",
	    .help = "The groups for the key exchange, with colons between, of "
	        "X25519MLKEM768, X25519, P-256, P-384 and P-521." },
	{ .name = "alpn", .type = OPTION_PROTOCOLS, SERVICE(alpn), BOTH, OURS,
	    .argument = "NAMES",
	    .help = "The application protocols to agree on (ALPN), with commas between, as "
	        "h2,http/1.1: a server takes the first that the client offers and refuses one "
	        "that offers others only." },
	{ .name = "alpnRequire", .type = OPTION_FLAG, SERVICE(alpn_require), BOTH, OURS,
	    .argument = "yes|no", .initial = "no",
	    .help = "Refuse also a peer that agrees to no protocol of alpn because it knows "
	        "nothing of ALPN." },
	{ .name = "options", .type = OPTION_SSLOPT, SERVICE(server_preference),
	    .argument = "NAME",
	    .help = "One of OpenSSL's options, \"sluss -options\" lists them; - in front "
	        "clears it." },
	{ .name = "sni", .type = OPTION_TEXT, SERVICE(sni), BOTH,
	    .argument = "NAME",
	    .help = "In client mode the name of the host to ask the server for, or nothing "
	        "for none; without it, the name of the host connected to. In a server's section "
	        "SECTION:PATTERN: it serves the clients of SECTION that ask for a name of this "
	        "pattern, db.example.org, *.example.org or *." },

	/* Before TLS. */

	{ .name = "protocol", .type = OPTION_CHOICE, SERVICE(protocol), BOTH,
	    WORDS("none", "connect", "imap", "ldap", "nntp", "pgsql", "pop3", "proxy", "proxy2",
	        "smtp", "socks"),
	    .argument = "NAME", .initial = "none",
	    .help = "What is said in clear before TLS begins: connect, imap, ldap, nntp, "
	        "pgsql, pop3, proxy (a PROXY header, version 1), proxy2 (version 2), smtp "
	        "or socks." },
	{ .name = "protocolHost", .type = OPTION_TEXT, SERVICE(protocol_host), BOTH,
	    .argument = "HOST:PORT",
	    .help = "Where the proxy is to connect to, or the name to greet with." },
	{ .name = "protocolUsername", .type = OPTION_TEXT, SERVICE(protocol_username),
	    .argument = "NAME", .help = "The name to log in with." },
	{ .name = "protocolPassword", .type = OPTION_TEXT, SERVICE(protocol_password),
	    .argument = "PASSWORD", .help = "The password to log in with." },
	{ .name = "protocolDomain", .type = OPTION_TEXT, SERVICE(protocol_domain),
	    .argument = "DOMAIN", REFUSED("it belongs to NTLM, which is not there"),
	    .help = "The domain to log in to." },
	{ .name = "protocolHeader", .type = OPTION_TEXTS, SERVICE(protocol_header),
	    .argument = "HEADER", .help = "A header line for the connect protocol." },
	{ .name = "protocolAuthentication", .type = OPTION_CHOICE,
	    SERVICE(protocol_authentication), WORDS("basic", "plain", "login"),
	    .argument = "WAY", .initial = "basic",
	    .help = "How to log in: basic for connect, plain or login for smtp." },
	{ .name = "proxyIn", .type = OPTION_FLAG, SERVICE(proxy_in), BOTH, OURS,
	    .argument = "yes|no", .initial = "no",
	    .help = "Every connection accepted begins with a PROXY header, version 1 or 2, "
	        "which says where it comes from; others are refused." },
	{ .name = "proxyFrom", .type = OPTION_PREFIXES, SERVICE(proxy_from), BOTH, OURS,
	    .argument = "PREFIX",
	    .help = "From where proxyIn is believed; from elsewhere it is refused." },

	/* Programs. */

	{ .name = "exec", .type = OPTION_PATH, SERVICE(exec), RANGE(1, 0),
	    .argument = "FILE",
	    .help = "The program to run for each connection, instead of connect; with "
	        "connect, in place of accept." },
	{ .name = "execArgs", .type = OPTION_ARGV, SERVICE(execargs),
	    .argument = "WORDS",
	    .help = "The program's arguments, its own name first, with blanks between." },
	{ .name = "pty", .type = OPTION_FLAG, SERVICE(pty),
	    .argument = "yes|no", .initial = "no",
	    .help = "Give the program a terminal of its own." },
	{ .name = "retry", .type = OPTION_RETRY, SERVICE(retry),
	    .argument = "yes|no|MILLISECONDS", .initial = "no",
	    .help = "With exec and connect: begin anew when it has ended, after a second or "
	        "so many milliseconds." },
	{ .name = "setEnv", .type = OPTION_ENV, GLOBAL(setenv),
	    .argument = "NAME=VALUE", .help = "A variable for the programs of exec." },

	/* The sockets. */

	{ .name = "failover", .type = OPTION_CHOICE, SERVICE(failover), BOTH,
	    WORDS("prio", "rr"), .argument = "prio|rr", .initial = "prio",
	    .help = "The order of several targets: as given, or each first in turn." },
	{ .name = "delay", .type = OPTION_FLAG, SERVICE(delay),
	    .argument = "yes|no", .initial = "no",
	    .help = "Look names up for each connection: always so, whatever is said here." },
	{ .name = "local", .type = OPTION_HOST, SERVICE(local), BOTH,
	    .argument = "HOST", .help = "The address of this machine to connect from." },
	{ .name = "transparent", .type = OPTION_CHOICE, SERVICE(transparent),
	    WORDS("none", "source", "destination", "both"),
	    .argument = "none|source|destination|both", .initial = "none",
	    .help = "Connect from the client's address (source; it needs CAP_NET_ADMIN and "
	        "routing), to where the client wanted to go (destination), or both." },
	{ .name = "socket", .type = OPTION_SOCKOPTS, SERVICE(sockopts), BOTH,
	    .argument = "SIDE:NAME=VALUE",
	    .help = "A socket option for the listening (a), accepted (l) or connected (r) "
	        "sockets; \"sluss -sockets\" lists the names." },

	/* Times and limits. */

	{ .name = "abort", .type = OPTION_CHOICE, SERVICE(abort), BOTH, OURS,
	    WORDS("strict", "compat"),
	    .argument = "strict|compat", .initial = "strict", .stunnel = "compat",
	    .help = "What one side learns when the other was cut off or reset: with "
	        "strict a reset too, with compat a clean end." },
	{ .name = "reset", .type = OPTION_FLAG, SERVICE(reset),
	    .argument = "yes|no", .initial = "yes",
	    .help = "Tell the plain side of an error of TLS by a reset; no means an orderly "
	        "end even then." },
	{ .name = "TIMEOUTbusy", .type = OPTION_SECONDS, SERVICE(timeout_busy), BOTH,
	    .argument = "SECONDS", .initial = "10", .stunnel = "300", RANGE(1, YEAR),
	    .help = "The seconds that a whole TLS handshake may take." },
	{ .name = "TIMEOUTconnect", .type = OPTION_SECONDS, SERVICE(timeout_connect),
	    BOTH, .argument = "SECONDS", .initial = "10", RANGE(1, YEAR),
	    .help = "The seconds that connecting to one address may take." },
	{ .name = "TIMEOUTocsp", .type = OPTION_SECONDS, SERVICE(timeout_ocsp), BOTH,
	    .argument = "SECONDS", .initial = "5", RANGE(1, YEAR),
	    .help = "The seconds that one responder (OCSP) gets, from looking up its name to its "
	        "whole answer." },
	{ .name = "TIMEOUTidle", .type = OPTION_SECONDS, SERVICE(timeout_idle), BOTH,
	    .argument = "SECONDS", .initial = "43200", RANGE(1, YEAR),
	    .help = "The seconds after which a tunnel ends that moved no byte." },
	{ .name = "TIMEOUTclose", .type = OPTION_SECONDS, SERVICE(timeout_close), BOTH,
	    .argument = "SECONDS", .initial = "60", RANGE(0, YEAR),
	    .help = "The seconds without a byte after which a tunnel ends once one "
	        "side has closed; with 0 it is TIMEOUTidle that ends it, and with "
	        "abort = compat nobody waits for the TLS peer's close_notify." },
	{ .name = "TIMEOUTdrain", .type = OPTION_SECONDS, GLOBAL(timeout_drain), BOTH, OURS,
	    .argument = "SECONDS", .initial = "30", RANGE(0, YEAR),
	    .help = "The seconds that open tunnels get to finish after SIGTERM." },
	{ .name = "maxTunnels", .type = OPTION_COUNT, GLOBAL(max_tunnels), BOTH, OURS,
	    .argument = "NUMBER", RANGE(1, 1000000),
	    .help = "How many tunnels may be open at once, further ones wait in the "
	        "backlog; without it, what the limit of open files allows." },
	{ .name = "maxPerSource", .type = OPTION_SOURCE, SERVICE(max_per_source), BOTH, OURS,
	    .argument = "NUMBER[/BITS[/BITS]]", RANGE(1, 1000000),
	    .help = "How many tunnels one source may have, further ones are refused; a source "
	        "is an IPv4 address, or the first 64 bits of an IPv6 one, or as many bits "
	        "of either as are given." },
	{ .name = "handshakeRate", .type = OPTION_COUNT, SERVICE(handshake_rate), BOTH, OURS,
	    .argument = "NUMBER", RANGE(1, 1000000),
	    .help = "How many handshakes a second one source (see maxPerSource) may begin." },
	{ .name = "allowFrom", .type = OPTION_PREFIXES, SERVICE(allow_from), BOTH, OURS,
	    .argument = "PREFIX",
	    .help = "Take connections from these addresses only, e.g. 192.0.2.0/24." },
	{ .name = "denyFrom", .type = OPTION_PREFIXES, SERVICE(deny_from), BOTH, OURS,
	    .argument = "PREFIX",
	    .help = "Take no connections from these addresses, not even allowed ones." },
	{ .name = "acceptThreads", .type = OPTION_COUNT, GLOBAL(accept_threads), BOTH, OURS,
	    .argument = "NUMBER", RANGE(1, 256),
	    .help = "The threads that accept and do handshakes; without it, one for "
	        "each CPU." },
	{ .name = "workerThreads", .type = OPTION_COUNT, GLOBAL(worker_threads), BOTH, OURS,
	    .argument = "NUMBER", RANGE(1, 256),
	    .help = "The threads that move the data; without it, one for each CPU." },
	{ .name = "acceptNice", .type = OPTION_COUNT, GLOBAL(accept_nice), BOTH, OURS,
	    .argument = "NUMBER", .initial = "5", RANGE(0, 19),
	    .help = "How much nicer than the others the threads are that do handshakes, so "
	        "that many of these do not delay the data of tunnels; see nice(1)." },
	{ .name = "affinity", .type = OPTION_FLAG, GLOBAL(affinity), BOTH, OURS,
	    .argument = "yes|no", .initial = "no",
	    .help = "Keep each thread on one CPU of those that the process may use." },
	{ .name = "accel", .type = OPTION_CHOICE, GLOBAL(accel), BOTH, OURS,
	    WORDS("auto", "off"), .argument = "auto|off", .initial = "auto",
	    .help = "Whether AES-GCM goes to libipsec-mb where the CPU makes that faster, or "
	        "always to wolfSSL." },

	/* The log. */

	{ .name = "debug", .type = OPTION_DEBUG, GLOBAL(debug), BOTH,
	    .argument = "LEVEL", .initial = "info", .stunnel = "notice",
	    .help = "How much to log: emerg, alert, crit, err, warning, notice, info, "
	        "debug, or 0 to 7; for syslog with a facility in front, daemon.notice." },
	{ .name = "debug", .type = OPTION_LEVEL, SERVICE(debug),
	    .argument = "LEVEL", .help = "The same for one section." },
	{ .name = "output", .type = OPTION_PATH, GLOBAL(output), BOTH, RANGE(1, 0),
	    .argument = "FILE", .help = "A file for the log; it is opened anew on SIGUSR1." },
	{ .name = "log", .type = OPTION_CHOICE, GLOBAL(log_mode), BOTH,
	    WORDS("append", "overwrite"), .argument = "append|overwrite", .initial = "append",
	    .help = "Whether the file of output is added to or begun anew." },
	{ .name = "syslog", .type = OPTION_FLAG, GLOBAL(syslog), BOTH,
	    .argument = "yes|no", .initial = "no", .stunnel = "yes",
	    .help = "Log to syslog too." },
	{ .name = "logFormat", .type = OPTION_CHOICE, GLOBAL(log_format), BOTH, OURS,
	    WORDS("text", "json"), .argument = "text|json", .initial = "text",
	    .help = "Lines of text, or a JSON object a line." },
	{ .name = "logId", .type = OPTION_CHOICE, SERVICE(log_id), BOTH,
	    WORDS("sequential", "unique", "thread", "process"),
	    .argument = "sequential|unique|thread|process", .initial = "sequential",
	    .help = "What tells the tunnels apart in the log: a number, a random text, or the "
	        "number of the thread or process." },
	{ .name = "service", .type = OPTION_NAME, GLOBAL(ident), BOTH,
	    .argument = "NAME",
	    .help = "The name of the service in log lines, and of the program in syslog; "
	        "without it, the name of the command, or sluss." },
	{ .name = "service", .type = OPTION_NAME, SERVICE(name),
	    .argument = "NAME",
	    .help = "The name of the section in log lines, instead of that in its brackets." },

	/* The process. */

	{ .name = "profile", .type = OPTION_PROFILE, SERVICE(profile), OURS,
	    WORDS("strict", "stunnel"), .argument = "strict|stunnel",
	    .help = "Which defaults hold for what is not said: ours, as the commands have "
	        "them, or stunnel's, as files have them." },
	{ .name = "foreground", .type = OPTION_CHOICE, GLOBAL(foreground),
	    WORDS("no", "yes", "quiet"), .argument = "yes|no|quiet",
	    .initial = "yes", .stunnel = "no",
	    .help = "Stay in the foreground and log to stderr (yes), or not to stderr "
	        "(quiet); otherwise go into the background." },
	{ .name = "pid", .type = OPTION_PATH, GLOBAL(pid), BOTH,
	    .argument = "FILE", .help = "A file for the process id." },
	{ .name = "setuid", .type = OPTION_TEXT, GLOBAL(setuid), BOTH,
	    .argument = "USER", .help = "Whom to become once the sockets are open." },
	{ .name = "setgid", .type = OPTION_TEXT, GLOBAL(setgid), BOTH,
	    .argument = "GROUP", .help = "The group to become, with setuid." },
	{ .name = "setuid", .type = OPTION_TEXT, SERVICE(setuid),
	    .argument = "USER", .help = "The owner of the section's unix socket." },
	{ .name = "setgid", .type = OPTION_TEXT, SERVICE(setgid),
	    .argument = "GROUP", .help = "The group of the section's unix socket." },
	{ .name = "chroot", .type = OPTION_PATH, GLOBAL(chroot), BOTH, RANGE(1, 0),
	    .argument = "FOLDER", .help = "The root folder to go to once all is open." },
	{ .name = "reloadOnChange", .type = OPTION_FLAG, GLOBAL(reload_on_change), OURS,
	    .argument = "yes|no", .initial = "yes",
	    .help = "Reload when the configuration or a file that it names is replaced." },

	/* Resuming sessions. */

	{ .name = "sessionResume", .type = OPTION_FLAG, SERVICE(session_resume), BOTH,
	    .argument = "yes|no", .initial = "no",
	    .help = "In server mode, let clients resume their sessions by tickets. A ticket says "
	        "who the client is, opens at this service alone, and only as long as the rules, "
	        "CAs and CRLs are what they were and let that client pass. In client mode, keep the "
	        "sessions that servers offer and resume them, each with the same address and name "
	        "alone, and only while the certificate that the server showed would pass now. Unlike "
	        "stunnel, no unless it is said." },
	{ .name = "sessionCacheSize", .type = OPTION_COUNT, SERVICE(session_cache_size), BOTH,
	    RANGE(0, 1000000000), .argument = "NUMBER", .initial = "1000",
	    .help = "With sessionResume, the clients whose certificates are remembered, by all "
	        "services together (the largest number counts); who is forgotten begins with a "
	        "full handshake. In client mode, the sessions that this service keeps, of one "
	        "server 32 at most; 0 is a million." },
	{ .name = "sessionCacheTimeout", .alias = "session", .type = OPTION_SECONDS,
	    SERVICE(session_cache_timeout), BOTH, RANGE(0, YEAR),
	    .argument = "SECONDS", .initial = "300",
	    .help = "With sessionResume, the seconds after which a full handshake is needed "
	        "again." },
	{ .name = "ticketKeySecret", .type = OPTION_TEXT, SERVICE(ticket_key_secret),
	    .argument = "HEX",
	    .help = "With ticketMacSecret, 32 or 64 hexadecimal digits each from which the key of "
	        "the tickets is made, the same on all hosts that share it. Without, keys are "
	        "random, new every hour, and unknown outside of the process." },
	{ .name = "ticketMacSecret", .type = OPTION_TEXT, SERVICE(ticket_mac_secret),
	    .argument = "HEX", .help = "See ticketKeySecret." },
	{ .name = "ticketKeyFile", .type = OPTION_PATH, SERVICE(ticket_key_file), OURS,
	    RANGE(1, 0), .argument = "FILE",
	    .help = "A file with up to three keys of tickets, 64 hexadecimal digits a line, "
	        "instead of ticketKeySecret: the first makes tickets, all open them. It is read "
	        "again at a reload." },

	/* What sluss does not do. */

	{ .name = "fips", .type = OPTION_FLAG, GLOBAL(syslog),
	    REFUSED("this wolfSSL is not the validated module"),
	    .argument = "yes|no", .harmless = "no", .help = "FIPS 140 mode." },
	{ .name = "libwrap", .type = OPTION_FLAG, SERVICE(delay),
	    REFUSED("TCP wrappers are not there: use allowFrom and denyFrom"),
	    .argument = "yes|no", .harmless = "no", .help = "TCP wrappers." },
	{ .name = "renegotiation", .type = OPTION_FLAG, SERVICE(delay),
	    IGNORED("a peer that renegotiates is always refused"),
	    .argument = "yes|no", .harmless = "no", .help = "Let peers renegotiate." },
	{ .name = "compression", .type = OPTION_TEXT, GLOBAL(ident),
	    IGNORED("TLS compression is never used: it gives secrets away"),
	    .argument = "WAY", .help = "TLS compression." },
	{ .name = "engine", .type = OPTION_TEXT, GLOBAL(ident), REFUSED(NO_ENGINES),
	    .argument = "NAME", .harmless = "auto", .help = "An engine of OpenSSL." },
	{ .name = "engineCtrl", .type = OPTION_TEXT, GLOBAL(ident), REFUSED(NO_ENGINES),
	    .argument = "COMMAND", .help = "A command for an engine." },
	{ .name = "engineDefault", .type = OPTION_TEXT, GLOBAL(ident), REFUSED(NO_ENGINES),
	    .argument = "TASKS", .help = "What an engine is for." },
	{ .name = "engineId", .type = OPTION_TEXT, SERVICE(sni), REFUSED(NO_ENGINES),
	    .argument = "NAME", .help = "The engine of a key." },
	{ .name = "engineNum", .type = OPTION_TEXT, SERVICE(sni), REFUSED(NO_ENGINES),
	    .argument = "NUMBER", .help = "The engine of a key." },
	{ .name = "CAengine", .type = OPTION_TEXT, SERVICE(sni), REFUSED(NO_ENGINES),
	    .argument = "NAME", .help = "CAs of an engine." },
	{ .name = "CAstore", .type = OPTION_TEXT, SERVICE(sni),
	    REFUSED("wolfSSL has no such stores: use CAfile or CApath"),
	    .argument = "URI", .help = "CAs of a store." },
	{ .name = "provider", .type = OPTION_TEXT, GLOBAL(ident), REFUSED(NO_ENGINES),
	    .argument = "NAME", .help = "A provider of OpenSSL." },
	{ .name = "providerParameter", .type = OPTION_TEXT, GLOBAL(ident), REFUSED(NO_ENGINES),
	    .argument = "PARAMETER", .help = "A provider's parameter." },
	{ .name = "config", .type = OPTION_TEXT, SERVICE(sni),
	    REFUSED("wolfSSL has no such commands: use sslVersionMin, ciphers, curves"),
	    .argument = "COMMAND", .help = "A command for OpenSSL's configuration." },
	{ .name = "RNDfile", .type = OPTION_TEXT, GLOBAL(ident), IGNORED(OWN_SEED),
	    .argument = "FILE", .help = "Seed." },
	{ .name = "RNDbytes", .type = OPTION_TEXT, GLOBAL(ident), IGNORED(OWN_SEED),
	    .argument = "NUMBER", .help = "Seed." },
	{ .name = "RNDoverwrite", .type = OPTION_FLAG, GLOBAL(syslog), IGNORED(OWN_SEED),
	    .argument = "yes|no", .help = "Seed." },
	{ .name = "EGD", .type = OPTION_TEXT, GLOBAL(ident), IGNORED(OWN_SEED),
	    .argument = "SOCKET", .help = "Seed." },
	{ .name = "stack", .type = OPTION_COUNT, SERVICE(verify), RANGE(0, 1000000000),
	    IGNORED("no thread belongs to a connection"),
	    .argument = "BYTES", .help = "The stack of threads." },
	{ .name = "ident", .type = OPTION_TEXT, SERVICE(sni),
	    REFUSED("RFC 1413 proves nothing: use certificates"),
	    .argument = "USER", .help = "The user that RFC 1413 must name." },
	{ .name = "sessiond", .type = OPTION_TEXT, SERVICE(sni),
	    REFUSED("sessions are not shared through a server"),
	    .argument = "ADDRESS", .help = "A cache of sessions elsewhere." },
	{ .name = "transport", .type = OPTION_TEXT, SERVICE(sni),
	    REFUSED("DTLS is not built: TCP only"),
	    .argument = "tcp|udp", .harmless = "tcp", .help = "TCP or UDP." },
};
/* clang-format on */

const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);

_Static_assert(sizeof(option_table) / sizeof(option_table[0]) <= CONF_OPTIONS_MAX,
    "CONF_OPTIONS_MAX is too small");
