# The interop table: our programs with the clients of the world (tests/interop/README.md).
#   make interop               all rows
#   make interop ONLY=aria2    rows whose name has this in it
#   make interop-self-test     the other clients among themselves: proves the drivers, not us

.PHONY: interop interop-self-test
interop: $(PROGRAMS)
	@P2P_BIN=$(abspath $(B)) tests/interop/run $(if $(ONLY),--only '$(ONLY)') $(if $(JOBS),--jobs $(JOBS))
interop-self-test:
	@P2P_BIN=$(abspath $(B)) tests/interop/run --self-test $(if $(ONLY),--only '$(ONLY)')
