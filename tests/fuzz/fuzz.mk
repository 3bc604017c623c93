# Builds the fuzz targets with clang's libFuzzer, apart from everything else: run by
# test_fuzz.py with srcdir and out set. A target is tests/fuzz/fuzz_NAME.c; what it is
# linked with is listed here, without wolfSSL.

CLANG = clang
FLAGS = -g -O1 -std=gnu11 -D_GNU_SOURCE -DSYSCONFDIR='"/etc"' -pthread \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-I$(srcdir)/include -I$(srcdir)/proxy -I$(out)/../..

all_of = $(patsubst $(srcdir)/%.c,$(out)/%.o,$(wildcard $(srcdir)/proxy/$(1)/*.c))
base = $(call all_of,base)
net = $(call all_of,net)
conf = $(call all_of,conf)

fuzz_conf = $(base) $(net) $(conf)

fuzz_hello = $(out)/proxy/tls/hello.o

targets = conf hello

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
