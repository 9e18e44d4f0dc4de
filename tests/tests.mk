# Tests: unit (a program a module), sim, fuzz replay, command line, interop, lint, bench.

# tests/unit/FLOOR/MODULE.c is linked with its floor and those below it and nothing else,
# so that the linker proves the floors.
UNIT_SRC  := $(sort $(wildcard tests/unit/*/*.c))
UNIT_ALL  := $(UNIT_SRC:tests/unit/%.c=%)
UNIT      := $(if $(T),$(filter $(T) $(T)/%,$(UNIT_ALL)),$(UNIT_ALL))

define unit_rule
$(B)/tests/unit/$(1): $(B)/tests/unit/$(1).o $(call floor_libs,$(patsubst %/,%,$(dir $(1))))
	$$(Q)$$(CC) $$(LINKFLAGS) -o $$@ $$^ $$(call outside_libs,$(patsubst %/,%,$(dir $(1)))) -lcmocka
endef
$(foreach u,$(UNIT_ALL),$(eval $(call unit_rule,$(u))))

.PHONY: unit unit-build
unit-build: $(UNIT:%=$(B)/tests/unit/%)
unit: unit-build
	@for t in $(UNIT:%=$(B)/tests/unit/%); do echo "== $$t"; "$$t" || exit 1; done

-include tests/lint/lint.mk
-include tests/fuzz/fuzz.mk
