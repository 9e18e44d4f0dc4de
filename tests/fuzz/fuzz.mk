# Fuzzing: tests/fuzz/NAME.c defines LLVMFuzzerTestOneInput and names its floor in its first lines
# with "floor: FLOOR"; it is linked with that floor and those below it. Its seeds, and every input
# that once broke it, lie in tests/fuzz/corpus/NAME/.
#   make fuzz T=bencode FUZZ_TIME=60    libFuzzer under address and undefined; all targets without T
#   make fuzz-replay                    each target over its corpus, with the plain compiler

FUZZ_ALL     := $(patsubst tests/fuzz/%.c,%,$(filter-out tests/fuzz/replay.c,$(sort $(wildcard tests/fuzz/*.c))))
FUZZ         := $(if $(T),$(filter $(T),$(FUZZ_ALL)),$(FUZZ_ALL))
FUZZ_TIME    ?= 60
FUZZ_B       := build/fuzz
fuzz_floor    = $(shell sed -n '1,9s/.*floor: *\([a-z]*\).*/\1/p' tests/fuzz/$(1).c)
$(foreach f,$(FUZZ_ALL),$(eval fuzz_floor_$(f) := $(call fuzz_floor,$(f))))

define fuzz_rule
$(B)/tests/fuzz/$(1): $(B)/tests/fuzz/replay.o $(B)/tests/fuzz/$(1).o $(if $(filter node,$(1)),$(B)/tests/tube.a) $(call floor_libs,$(fuzz_floor_$(1)))
	$$(Q)$$(CC) $$(LINKFLAGS) -o $$@ $$^ $$(call outside_libs,$(fuzz_floor_$(1)))
$(B)/tests/fuzz/$(1)-libfuzzer: $(B)/tests/fuzz/$(1).o $(if $(filter node,$(1)),$(B)/tests/tube.a) $(call floor_libs,$(fuzz_floor_$(1)))
	$$(Q)$$(CC) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $$(call outside_libs,$(fuzz_floor_$(1)))
endef
$(foreach f,$(FUZZ_ALL),$(eval $(call fuzz_rule,$(f))))

.PHONY: fuzz fuzz-build fuzz-replay
fuzz-replay: $(FUZZ_ALL:%=$(B)/tests/fuzz/%)
	@for t in $(FUZZ_ALL); do \
	    $(B)/tests/fuzz/$$t $$t $$(find tests/fuzz/corpus/$$t -type f 2>/dev/null | LC_ALL=C sort) || exit 1; done

# New inputs go to a folder under build/; what is worth keeping is moved to the corpus by hand.
fuzz-build: $(FUZZ:%=$(B)/tests/fuzz/%-libfuzzer)
fuzz:
	@$(MAKE) --no-print-directory fuzz-build CC=clang B=$(FUZZ_B) SAN=address,undefined,fuzzer-no-link T='$(T)'
	@for t in $(FUZZ); do echo "== fuzz $$t, $(FUZZ_TIME) s"; \
	    mkdir -p $(FUZZ_B)/found/$$t tests/fuzz/corpus/$$t; \
	    $(FUZZ_B)/tests/fuzz/$$t-libfuzzer -max_total_time=$(FUZZ_TIME) -timeout=20 -rss_limit_mb=2048 \
	        $$(test ! -f tests/fuzz/$$t.dict || echo -dict=tests/fuzz/$$t.dict) \
	        -print_final_stats=1 -verbosity=0 -artifact_prefix=$(FUZZ_B)/$$t- \
	        $(FUZZ_B)/found/$$t tests/fuzz/corpus/$$t || exit 1; done
