# Tests: unit (a program a module), fuzz replay, simulation, command line, networks, interop, lint,
# counts of instructions, bench.
#   make check      all suites, each with its counts, and the sum at the end

# Sanitizers and coverage add instructions of their own, which are nothing to count.
SUITES ?= lint unit fuzz-replay sim cli net interop $(if $(SAN)$(COV),,count)

.PHONY: check need-check
check: need-check all
	@B='$(B)' MAKEFLAGS='$(filter-out -j%,$(MAKEFLAGS))' tests/check $(SUITES)
need-check:
	@tests/need build check

CORES := $(shell nproc)

# tests/unit/FLOOR/MODULE.c is linked with its floor and those below it and nothing else,
# so that the linker proves the floors.
UNIT_SRC  := $(sort $(wildcard tests/unit/*/*.c))
UNIT_ALL  := $(UNIT_SRC:tests/unit/%.c=%)
UNIT      := $(if $(T),$(filter $(T) $(T)/%,$(UNIT_ALL)),$(UNIT_ALL))

define unit_rule
$(B)/tests/unit/$(1): $(B)/tests/unit/$(1).o $(if $(filter node/%,$(1)),$(B)/tests/tube.a) $(call floor_libs,$(patsubst %/,%,$(dir $(1))))
	$$(Q)$$(CC) $$(LINKFLAGS) -o $$@ $$^ $$(call outside_libs,$(patsubst %/,%,$(dir $(1)))) -lcmocka $$(TEST_LIBS)
endef
$(foreach u,$(UNIT_ALL),$(eval $(call unit_rule,$(u))))

# They read back what the program writes, and write what it reads, by the library that it loads.
WITH_ARCHIVES := host/archive host/archive_in host/unpack host/inside engine/dig engine/member
$(WITH_ARCHIVES:%=$(B)/tests/unit/%): TEST_LIBS = -larchive

.PHONY: unit unit-build
unit-build: $(UNIT:%=$(B)/tests/unit/%)
unit: unit-build
	@tests/each $(CORES) env $(UNIT:%=$(B)/tests/unit/%)

# The test tube: whole nodes under virtual time. Unit tests of the node floor link it too.
TUBE_SRC := $(filter-out tests/sim/scenario_%.c,$(sort $(wildcard tests/sim/*.c)))
$(B)/tests/tube.a: $(TUBE_SRC:%.c=$(B)/%.o)
	@rm -f $@
	$(Q)ar rcsD $@ $^

include $(wildcard tests/*/*.mk)
