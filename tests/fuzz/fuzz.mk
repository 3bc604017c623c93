# Builds the fuzz targets with clang's libFuzzer, apart from everything else: run by
# test_fuzz.py with srcdir and out set. A target is tests/fuzz/fuzz_NAME.c; what it is
# linked with is listed here, without wolfSSL, of which some need the headers.

CLANG = clang
FLAGS = -g -O1 -std=gnu11 -D_GNU_SOURCE -DSYSCONFDIR='"/etc"' -pthread \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-I$(srcdir)/include -I$(srcdir)/proxy -I$(out)/../.. \
	-isystem $(shell sed -n 's/^wolfssl_dir = //p' $(abspath $(out)/../../../Makefile))/include

some_of = $(patsubst %,$(out)/proxy/$(1)/%.o,$(2))
all_of = $(patsubst $(srcdir)/%.c,$(out)/%.o,$(wildcard $(srcdir)/proxy/$(1)/*.c))
base = $(call all_of,base)
net = $(call all_of,net)
conf = $(call all_of,conf)

preface = $(patsubst $(srcdir)/%.c,$(out)/%.o,$(filter-out %/preface_facts.c %/preface_step.c,\
	$(wildcard $(srcdir)/proxy/tunnel/preface*.c)))

fuzz_conf = $(base) $(net) $(conf)
fuzz_preface = $(base) $(net) $(conf) $(preface)
fuzz_proxyin = $(base) $(net) $(conf) $(preface)
fuzz_hello = $(call some_of,tls,flight hello kind)
fuzz_crl = $(base) $(call some_of,tls,asn1 crl_read crl_serials san x509 x509_name)
fuzz_ocsp = $(base) $(net) $(call some_of,tls,asn1 ocsp_read)
fuzz_rule = $(base) $(net) $(conf) $(call some_of,tls,asn1 glob name rule san spiffe \
	x509 x509_name x509_text)
fuzz_chain = $(base) $(net) $(conf) $(call some_of,tls,asn1 authorise cert constraints glob \
	identity level name path pubkey rule rules san spiffe subtree trust x509 x509_name \
	x509_text)
fuzz_wanted = $(call some_of,base,errmsg) $(call some_of,tls,asn1 flight san wanted x509 \
	x509_name x509_text)

targets = chain conf crl preface proxyin hello ocsp rule wanted

all: $(targets:%=$(out)/fuzz_%)

.SECONDEXPANSION:
$(out)/fuzz_%: $(out)/tests/fuzz/fuzz_%.o $$(fuzz_$$*)
	$(CLANG) $(FLAGS) -fsanitize=fuzzer -o $@ $^

$(out)/%.o: $(srcdir)/%.c
	@mkdir -p $(@D)
	$(CLANG) $(FLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(out) -name '*.d' 2>/dev/null)

.SECONDARY:
.PHONY: all
