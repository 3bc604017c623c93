#!/bin/sh
# make_certs.sh FOLDER: make the certificates that test_cert and test_trust judge.
# NAME.pem is a certificate, NAME.key its key; what each is for stands beside it.

set -eu

cd "$1"

# key NAME [arguments of openssl genpkey]
key()
{
	key_name=$1
	shift
	[ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	openssl genpkey -out "$key_name.key" "$@" 2> /dev/null
}

# cert NAME SUBJECT ISSUER [option ...] [line of an extension ...]
# ISSUER is the name of a certificate made before, or "self". A new EC key is made
# unless there is one of that name. Options are words that start with "-".
cert()
{
	name=$1 subject=$2 issuer=$3
	shift 3
	[ -f "$name.key" ] || key "$name"
	options='-days 10'
	{
		printf '[req]\ndistinguished_name = dn\nutf8 = yes\nstring_mask = utf8only\n'
		printf 'x509_extensions = ext\n[dn]\n[ext]\n'
		for arg; do
			case $arg in
			-*) options="$options $arg";;
			*) printf '%s\n' "$arg";;
			esac
		done
	} > "$name.cnf"
	if [ "$issuer" != self ]; then
		options="$options -CA $issuer.pem -CAkey $issuer.key"
	fi
	# shellcheck disable=SC2086 # the options are words
	openssl req -x509 -new -config "$name.cnf" -key "$name.key" -subj "$subject" -utf8 \
	    -multivalue-rdn $options -out "$name.pem" 2> "$name.log" || {
		cat "$name.log" >&2
		exit 1
	}
}

# Another certificate for the key of an earlier one.
same_key()
{
	cp "$2.key" "$1.key"
}

CA='basicConstraints = critical, CA:TRUE'
SKID='subjectKeyIdentifier = hash'
AKID='authorityKeyIdentifier = keyid'
BOTH='extendedKeyUsage = serverAuth, clientAuth'

# --- Certificates for pins, as tutorials make them.
cert self_ca '/CN=self-ca' self "$CA" "$SKID" "$AKID"
cert self_leaf '/O=Example, Inc./CN=self-leaf' self 'basicConstraints = CA:FALSE' \
    'keyUsage = digitalSignature' "$BOTH" \
    'subjectAltName = DNS:localhost, DNS:*.local.test, IP:127.0.0.1, IP:2001:db8::1, URI:spiffe://test/a, email:a@example.com'
cert other '/CN=self-leaf' self "$CA"
cert plain_server '/CN=plain' self 'extendedKeyUsage = serverAuth'
cert plain_client '/CN=plain' self 'extendedKeyUsage = clientAuth'
cert any_use '/CN=plain' self 'extendedKeyUsage = anyExtendedKeyUsage'
cert code_signer '/CN=plain' self 'extendedKeyUsage = codeSigning'
cert no_digsig '/CN=plain' self 'keyUsage = keyEncipherment'
cert short '/CN=short' self '-days 1'
cert critical '/CN=critical' self '1.2.3.4 = critical,ASN1:UTF8String:x'
cert uncritical '/CN=uncritical' self '1.2.3.4 = ASN1:UTF8String:x'
cert policy '/CN=policy' self 'certificatePolicies = critical, 1.2.3.4' \
    'crlDistributionPoints = URI:http://localhost/'

# --- Kinds of keys and signatures.
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
key p192 -algorithm EC -pkeyopt ec_paramgen_curve:prime192v1
key p224 -algorithm EC -pkeyopt ec_paramgen_curve:secp224r1
key explicit -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
    -pkeyopt ec_param_enc:explicit
key ed25519 -algorithm ED25519
key ed448 -algorithm ED448
key pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 \
    -pkeyopt rsa_pss_keygen_md:sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 \
    -pkeyopt rsa_pss_keygen_saltlen:32
for kind in rsa rsa1024 p384 p521 p192 p224 explicit ed25519 ed448 pss; do
	cert $kind "/CN=$kind" self "$CA" "$SKID"
done
same_key sha1_self rsa
cert sha1_self '/CN=sha1-self' self -sha1 "$CA" "$SKID"
same_key md5_self rsa
cert md5_self '/CN=md5-self' self -md5 "$CA" "$SKID"
same_key pss_sha1 rsa
cert pss_sha1 '/CN=pss-sha1' self -sha1 '-sigopt rsa_padding_mode:pss' "$CA" "$SKID"

# --- A CA of each kind, and what it issues.
for kind in p384 p521 ed25519 pss sha1_self p192; do
	cert by_$kind "/CN=by-$kind" $kind "$AKID"
done
cert by_rsa '/CN=by-rsa' rsa "$AKID"
cert by_rsa_512 '/CN=by-rsa-512' rsa -sha512 "$AKID"
cert by_rsa_pss '/CN=by-rsa-pss' rsa '-sigopt rsa_padding_mode:pss' \
    '-sigopt rsa_pss_saltlen:max' "$AKID"
cert by_rsa1024 '/CN=by-rsa1024' rsa1024 "$AKID"
cert by_rsa_sha1 '/CN=by-rsa-sha1' rsa -sha1 "$AKID"
cert by_p521_256 '/CN=by-p521-256' p521 -sha256 "$AKID"

# --- An ordinary hierarchy.
cert root '/C=SE/O=Test/CN=Root' self "$CA" "$SKID" 'keyUsage = keyCertSign, cRLSign'
cert leaf '/CN=leaf.example.com' root "$AKID" "$BOTH" 'keyUsage = digitalSignature' \
    'subjectAltName = DNS:leaf.example.com'
cert sub '/O=Test/CN=Sub' root "$CA" "$SKID" "$AKID" 'keyUsage = keyCertSign'
cert sub_leaf '/CN=sub-leaf' sub "$AKID" "$BOTH"
cert sub2 '/O=Test/CN=Sub Two' sub "$CA" "$SKID" "$AKID"
cert sub2_leaf '/CN=sub2-leaf' sub2 "$AKID" "$BOTH"
cert server_only '/CN=server-only' root "$AKID" 'extendedKeyUsage = serverAuth'
cert client_only '/CN=client-only' root "$AKID" 'extendedKeyUsage = clientAuth'
cert no_ids '/CN=no-ids' root
cert leaf_critical '/CN=leaf-critical' root "$AKID" '1.2.3.4 = critical,ASN1:UTF8String:x'
cert leaf_short '/CN=leaf-short' root '-days 2' "$AKID"

# Certificates that say where their part of the CRL is; "odd": nowhere.
cert point_a '/CN=point-a' root "$AKID" 'crlDistributionPoints = URI:http://a'
cert point_b '/CN=point-b' root "$AKID" 'crlDistributionPoints = URI:http://b'
cert point_ba '/CN=point-ba' root "$AKID" \
    'crlDistributionPoints = URI:http://b, URI:http://a'
cert point_reasons '/CN=point-reasons' root "$AKID" 'crlDistributionPoints = dp' '[dp]' \
    'fullname = URI:http://a' 'reasons = keyCompromise'
cert point_odd '/CN=point-odd' root "$AKID" '2.5.29.31 = DER:3003020101'

# Another root, which has also signed Sub; and a root that expires early.
cert root_b '/C=SE/O=Test/CN=Root B' self "$CA" "$SKID"
same_key sub_by_b sub
cert sub_by_b '/O=Test/CN=Sub' root_b "$CA" "$SKID" "$AKID"
same_key old_root root
cert old_root '/C=SE/O=Test/CN=Root' self '-days 1' "$CA" "$SKID"
# A new root of which the old one vouches, and the other way round.
cert new_root '/C=SE/O=Test/CN=New Root' self "$CA" "$SKID"
same_key new_by_old new_root
cert new_by_old '/C=SE/O=Test/CN=New Root' root "$CA" "$SKID" "$AKID"
cert new_leaf '/CN=new-leaf' new_root "$AKID"
# A CA that gave itself a new key.
cert rolled '/O=Test/CN=Sub' sub "$CA" "$SKID" "$AKID"
cert rolled_leaf '/CN=rolled-leaf' rolled "$AKID"

# --- CAs that must not issue, or not this.
cert sub_code '/CN=Code' root "$CA" "$SKID" "$AKID" 'extendedKeyUsage = codeSigning'
cert code_leaf '/CN=code-leaf' sub_code "$AKID"
cert sub_any '/CN=Any' root "$CA" "$SKID" "$AKID" 'extendedKeyUsage = anyExtendedKeyUsage'
cert any_leaf '/CN=any-leaf' sub_any "$AKID"
cert sub_server '/CN=Servers' root "$CA" "$SKID" "$AKID" 'extendedKeyUsage = serverAuth'
cert server_leaf '/CN=server-leaf' sub_server "$AKID"
cert root_code '/CN=Root Code' self "$CA" "$SKID" 'extendedKeyUsage = codeSigning'
cert root_code_leaf '/CN=root-code-leaf' root_code "$AKID"
cert no_ca '/CN=No CA' root "$SKID" "$AKID" 'basicConstraints = CA:FALSE'
cert no_ca_leaf '/CN=no-ca-leaf' no_ca "$AKID"
cert no_sign '/CN=No Sign' root "$CA" "$SKID" "$AKID" 'keyUsage = digitalSignature'
cert no_sign_leaf '/CN=no-sign-leaf' no_sign "$AKID"
cert root_no_sign '/CN=Root No Sign' self "$CA" "$SKID" 'keyUsage = digitalSignature'
cert root_no_sign_leaf '/CN=root-no-sign-leaf' root_no_sign "$AKID"
cert sub_critical '/CN=Critical' root "$CA" "$SKID" "$AKID" \
    '1.2.3.4 = critical,ASN1:UTF8String:x'
cert critical_leaf '/CN=critical-leaf' sub_critical "$AKID"
cert sub_policy '/CN=Policy' root "$CA" "$SKID" "$AKID" \
    'policyConstraints = critical, requireExplicitPolicy:0'
cert policy_leaf '/CN=policy-leaf' sub_policy "$AKID"
cert sub_sha1 '/CN=Sub SHA-1' rsa -sha1 "$CA" "$SKID" "$AKID"
cert sha1_leaf '/CN=sha1-leaf' sub_sha1 "$AKID"
same_key sub_1024 rsa1024
cert sub_1024 '/CN=Sub 1024' root "$CA" "$SKID" "$AKID"
cert leaf_1024 '/CN=leaf-1024' sub_1024 "$AKID"
cert sub_short '/CN=Sub Short' root '-days 1' "$CA" "$SKID" "$AKID"
cert sub_short_leaf '/CN=sub-short-leaf' sub_short "$AKID"
cert exact_leaf '/CN=exact-leaf' self_leaf

# --- Path lengths.
cert len0 '/CN=Length 0' self 'basicConstraints = critical, CA:TRUE, pathlen:0' "$SKID"
cert len0_leaf '/CN=len0-leaf' len0 "$AKID"
cert len0_sub '/CN=Length 0 Sub' len0 "$CA" "$SKID" "$AKID"
cert len0_sub_leaf '/CN=len0-sub-leaf' len0_sub "$AKID"
cert len1 '/CN=Length 1' root 'basicConstraints = critical, CA:TRUE, pathlen:1' "$SKID" "$AKID"
cert len1_a '/CN=Length 1 A' len1 "$CA" "$SKID" "$AKID"
cert len1_a_leaf '/CN=len1-a-leaf' len1_a "$AKID"
cert len1_b '/CN=Length 1 B' len1_a "$CA" "$SKID" "$AKID"
cert len1_b_leaf '/CN=len1-b-leaf' len1_b "$AKID"
same_key len0_self len0_sub
cert len0_self '/CN=Length 0' len0 "$CA" "$SKID" "$AKID"
cert len0_self_leaf '/CN=len0-self-leaf' len0_self "$AKID"
# Nine CAs in a row, one more than a path may have between leaf and anchor.
above=root
for i in 1 2 3 4 5 6 7 8 9; do
	cert deep$i "/CN=Deep $i" $above "$CA" "$SKID" "$AKID"
	cert deep_leaf$i "/CN=deep-leaf-$i" deep$i "$AKID"
	above=deep$i
done

# --- Name constraints. The CA "nc" stands above the CA "nc_sub".
cert nc '/O=Test/CN=Constrained' root "$CA" "$SKID" "$AKID" \
    'nameConstraints = critical, permitted;DNS:example.com, excluded;DNS:bad.example.com, permitted;IP:10.0.0.0/255.0.0.0, excluded;IP:10.9.0.0/255.255.0.0, permitted;email:example.com, excluded;email:root@example.com, permitted;URI:.example.com, permitted;dirName:dir, excluded;dirName:bad' \
    '[dir]' 'O = Test' '[bad]' 'O = Test' 'OU = Bad'
cert nc_sub '/O=Test/CN=Constrained Sub' nc "$CA" "$SKID" "$AKID"
cert nc_bad_sub '/O=Elsewhere/CN=Sub' nc "$CA" "$SKID" "$AKID"
cert nc_bad_sub_leaf '/O=Test' nc_bad_sub "$AKID"

# nc_leaf NAME SUBJECT SAN: one issued by each of both.
nc_leaf()
{
	nc_san=
	[ -z "$3" ] || nc_san="subjectAltName = $3"
	cert "$1" "$2" nc "$AKID" "$nc_san"
	same_key "$1_sub" "$1"
	cert "$1_sub" "$2" nc_sub "$AKID" "$nc_san"
}
nc_leaf nc_ok '/O=Test' 'DNS:a.example.com, DNS:example.com, IP:10.1.2.3, email:a@example.com, URI:https://u@www.example.com:80/x'
nc_leaf nc_dns '/O=Test' 'DNS:a.example.com, DNS:evil.org'
nc_leaf nc_suffix '/O=Test' 'DNS:evilexample.com'
nc_leaf nc_dns_out '/O=Test' 'DNS:x.BAD.example.com'
nc_leaf nc_wild '/O=Test' 'DNS:*.example.com'
nc_leaf nc_ip '/O=Test' 'IP:11.0.0.1'
nc_leaf nc_ip_out '/O=Test' 'IP:10.9.0.1'
nc_leaf nc_ip6 '/O=Test' 'IP:::1'
nc_leaf nc_email '/O=Test' 'email:a@evil.org'
nc_leaf nc_email_out '/O=Test' 'email:ROOT@example.com'
nc_leaf nc_email_subject '/O=Test/emailAddress=a@evil.org' ''
nc_leaf nc_uri '/O=Test' 'URI:https://evil.org/.example.com'
nc_leaf nc_uri_ip '/O=Test' 'URI:https://10.1.2.3/'
nc_leaf nc_uri_none '/O=Test' 'URI:urn:x'
nc_leaf nc_dir '/O=Elsewhere' ''
nc_leaf nc_dir_out '/O=test/OU=BAD' ''
nc_leaf nc_cn '/O=Test/CN=evil.org' ''
nc_leaf nc_cn_ok '/O=Test/CN=www.example.com' ''
nc_leaf nc_cn_person '/O=Test/CN=Alice Example' ''
cert nc_other '/CN=Other Names' root "$CA" "$SKID" "$AKID" \
    'nameConstraints = critical, permitted;otherName:1.2.3.4;UTF8:x'
cert nc_other_leaf '/CN=a' nc_other "$AKID" 'subjectAltName = otherName:1.2.3.4;UTF8:x'
cert nc_other_free '/CN=a' nc_other "$AKID" 'subjectAltName = DNS:a'

# --- Names of hosts.
cert names '/CN=cn.example.com' self \
    'subjectAltName = DNS:Exact.Example.com, DNS:*.wild.example.com, DNS:*.com, DNS:*.*.two.example.com, DNS:f*.part.example.com, DNS:dot.example.com., IP:192.0.2.1, IP:2001:db8::1, DNS:192.0.2.7, DNS:db01, URI:https://uri.example.com/, email:a@mail.example.com'
cert cn_only '/O=x/CN=cn.example.com' self
cert cn_wild '/CN=*.example.com' self
cert cn_ip '/CN=192.0.2.1' self
cert cn_two '/CN=a.example.com/CN=b.example.com' self
cert cn_email_san '/CN=cn.example.com' self 'subjectAltName = email:a@example.com'
cert no_subject '/' self 'subjectAltName = critical, DNS:a.example.com'
cert odd '/CN=räksmörgås+OU=two/O=a, b' self
cert hidden_from '/CN=0123456789abcdefghijk' self
repeat()
{
	i=0
	while [ $i -lt "$1" ]; do
		printf '%s' "$2"
		i=$((i + 1))
	done
}
# A common name has 64 characters at most: several of them.
cert long "/CN=a$(repeat 59 ö)$(repeat 11 "/CN=$(repeat 60 ö)")" self \
    "subjectAltName = $(repeat 99 'DNS:aaaaaaaaaaaaaaaaaaaaaaaa.example.com, ')DNS:b"
# The test overwrites the bytes "XQZ" to make names with a NUL in them.
cert nul '/CN=good.example.comXQZevil.org' self \
    'subjectAltName = DNS:good.example.comXQZevil.org'
cert nul_cn '/CN=good.example.comXQZevil.org' self

# --- The root's name, but another key; and the forger's, with its key identifier, too.
cert twin '/C=SE/O=Test/CN=Root' self "$CA" "$SKID"
skid=$(openssl x509 -in root.pem -noout -ext subjectKeyIdentifier |
    sed -n 's/^ *\([0-9A-F][0-9A-F]:.*\)$/\1/p')
cert evil '/C=SE/O=Test/CN=Root' self "$CA" "subjectKeyIdentifier = $skid"
cert evil_leaf '/CN=leaf.example.com' evil "$AKID" "$BOTH"

# --- Keys in other forms.
openssl pkey -in root.key -traditional -out ec.key
openssl pkey -in rsa.key -traditional -out rsa1.key
openssl pkey -in root.key -aes128 -passout pass:x -out encrypted.key
openssl pkey -in rsa.key -traditional -aes128 -passout pass:x -out encrypted1.key
openssl ecparam -name prime256v1 -genkey -out params.key 2> /dev/null
openssl x509 -in root.pem -outform DER -out root.der
openssl pkey -in root.key -outform DER -out root_key.der
openssl x509 -in root.pem -trustout -addtrust serverAuth -out trusted.pem

# --- Names that rules are asked about.
cert r_ann '/CN=Ann Smith/OU=dev/OU=ops' self 'extendedKeyUsage = clientAuth'
cert r_nobody '/O=Nobody' self 'extendedKeyUsage = clientAuth'
cert r_two '/CN=one/CN=two' self 'extendedKeyUsage = clientAuth'
cert r_nul '/CN=r_nulQxx' self 'extendedKeyUsage = clientAuth'
cert r_utf8 '/CN=Grüße' self 'extendedKeyUsage = clientAuth'
cert r_mapped '/CN=mapped' self 'subjectAltName = IP:::ffff:127.0.0.1'
cert r_deep '/CN=deep' self 'subjectAltName = URI:spiffe://test/db/one/two'
cert r_uris '/CN=uris' self 'subjectAltName = URI:spiffe://test/a, URI:spiffe://test/b'
cert r_query '/CN=query' self 'subjectAltName = URI:spiffe://test/a?b'
cert r_slash '/CN=slash' self 'subjectAltName = URI:spiffe://test/a/'
cert r_upper '/CN=upper' self 'subjectAltName = URI:spiffe://Test/a'
cert r_percent '/CN=percent' self 'subjectAltName = URI:spiffe://test/a%2fb'
cert r_web '/CN=web' self 'subjectAltName = URI:https://a.test/x?y=z'
cert r_serial '/CN=serial' self '-set_serial 0x123'

# --- Responders (OCSP), and who only looks like one.
SIGNS='extendedKeyUsage = OCSPSigning'
cert responder '/CN=Responder' root "$AKID" "$SIGNS" 'keyUsage = digitalSignature'
cert responder_any '/CN=Responder' root "$AKID" 'extendedKeyUsage = anyExtendedKeyUsage'
cert responder_old '/CN=Responder' root '-days 1' "$AKID" "$SIGNS"
cert responder_use '/CN=Responder' root "$AKID" "$SIGNS" 'keyUsage = keyAgreement'
cert responder_odd '/CN=Responder' root "$AKID" "$SIGNS" '1.2.3.4 = critical,ASN1:UTF8String:x'
cert responder_b '/CN=Responder' root_b "$AKID" "$SIGNS"
cert responder_twin '/CN=Responder' twin "$AKID" "$SIGNS"
cert responder_sub '/CN=Responder' sub "$AKID" "$SIGNS"
cert informed '/CN=informed' root "$AKID" \
    'authorityInfoAccess = caIssuers;URI:http://a, OCSP;URI:http://127.0.0.1:1/ocsp, OCSP;URI:https://b'

# --- What only the table of verdicts asks about.
cert sub_server_any '/CN=Servers Any' sub_server "$CA" "$SKID" "$AKID" \
    'extendedKeyUsage = anyExtendedKeyUsage'
cert server_any_leaf '/CN=server-any-leaf' sub_server_any "$AKID" "$BOTH"
cert sub_server_client '/CN=Servers Clients' sub_server "$CA" "$SKID" "$AKID" \
    'extendedKeyUsage = clientAuth'
cert server_client_leaf '/CN=server-client-leaf' sub_server_client "$AKID" "$BOTH"
cert mail_leaf '/CN=mail-leaf' root "$AKID" 'extendedKeyUsage = emailProtection'
cert eku_critical '/CN=eku-critical' root "$AKID" \
    'extendedKeyUsage = critical, serverAuth, codeSigning'
cert any_issued '/CN=any-issued' root "$AKID" 'extendedKeyUsage = anyExtendedKeyUsage'
cert agree_leaf '/CN=agree-leaf' root "$AKID" 'keyUsage = keyAgreement'
cert ca_leaf '/CN=ca-leaf' root "$CA" "$AKID" 'keyUsage = digitalSignature, keyCertSign'
cert nc_min '/CN=Minimum' root "$CA" "$SKID" "$AKID" \
    '2.5.29.30 = critical,DER:3014a0123010820b6578616d706c652e636f6d800101'
cert nc_min_leaf '/CN=a' nc_min "$AKID" 'subjectAltName = DNS:www.example.com'
cert nc_mild '/CN=Mild' root "$CA" "$SKID" "$AKID" 'nameConstraints = permitted;DNS:example.com'
cert nc_mild_in '/O=a' nc_mild "$AKID" 'subjectAltName = DNS:www.example.com'
cert nc_mild_out '/O=a' nc_mild "$AKID" 'subjectAltName = DNS:www.example.org'
cert nc_no_ip '/CN=No IP' root "$CA" "$SKID" "$AKID" \
    'nameConstraints = critical, excluded;IP:0.0.0.0/0.0.0.0'
cert nc_no_ip_in '/CN=a' nc_no_ip "$AKID" 'subjectAltName = DNS:a.test, IP:2001:db8::1'
cert nc_no_ip_out '/CN=a' nc_no_ip "$AKID" 'subjectAltName = DNS:a.test, IP:192.0.2.1'
cert nc_narrow '/O=Test/CN=Narrow' nc "$CA" "$SKID" "$AKID" \
    'nameConstraints = critical, permitted;DNS:www.example.com'
cert nc_narrow_in '/O=Test' nc_narrow "$AKID" 'subjectAltName = DNS:www.example.com'
cert nc_narrow_out '/O=Test' nc_narrow "$AKID" 'subjectAltName = DNS:a.example.com'
cert nc_wide '/O=Test/CN=Wide' nc "$CA" "$SKID" "$AKID" \
    'nameConstraints = critical, permitted;DNS:org'
cert nc_wide_leaf '/O=Test' nc_wide "$AKID" 'subjectAltName = DNS:evil.org'
for kind in rsa1024 p192 p224; do
	same_key weak_$kind $kind
	cert weak_$kind "/CN=weak-$kind" root "$AKID"
done
cert leaf_sha1 '/CN=leaf-sha1' root -sha1 "$AKID"
cert leaf_sha224 '/CN=leaf-sha224' root -sha224 "$AKID"
cert leaf_sha512 '/CN=leaf-sha512' root -sha512 "$AKID"
cert by_rsa_md5 '/CN=by-rsa-md5' rsa -md5 "$AKID"
cert far '/CN=far' self '-days 20000'
cert loop_a '/CN=Loop A' self "$CA" "$SKID"
cert loop_b '/CN=Loop B' loop_a "$CA" "$SKID" "$AKID"
same_key loop_a_by_b loop_a
cert loop_a_by_b '/CN=Loop A' loop_b "$CA" "$SKID" "$AKID"
cert loop_leaf '/CN=loop-leaf' loop_a "$AKID"
cert idn '/CN=idn' self \
    'subjectAltName = DNS:xn--bcher-kva.example.com, DNS:xn--*.part.example.com, DNS:*.xn--bcher-kva.test, DNS:*.org.'
cert utf8_san '/CN=utf8' self 'subjectAltName = DNS:bXQcher.example.com'
