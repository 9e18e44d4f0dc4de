# The command line: every exit status and every sentence of the contract that is built.
#   make cli               all
#   make cli T=add         tests/cli/add.bats
CLI_TESTS = $(if $(T),$(T:%=tests/cli/%.bats),$(sort $(wildcard tests/cli/*.bats)))

.PHONY: cli
cli: $(PROGRAMS)
	@P2P_BIN=$(abspath $(B)) tests/each $$(($(CORES) * 2)) bats $(CLI_TESTS)
