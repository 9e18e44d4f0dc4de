# Networks of namespaces: routers that map ports, and hosts inside and outside.
#   make net               all
#   make net T=portmap     tests/net/portmap.bats
NET_TESTS = $(if $(T),$(T:%=tests/net/%.bats),$(sort $(wildcard tests/net/*.bats)))

$(B)/tests/net/mapper: $(B)/tests/net/mapper.o $(call floor_libs,host)
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^ $(call outside_libs,host)

.PHONY: net
net: $(PROGRAMS) $(B)/tests/net/mapper
	@P2P_BIN=$(abspath $(B)) bats $(NET_TESTS)
