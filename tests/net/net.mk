# Networks of namespaces: routers that map ports, hosts inside and outside, and a long road.
#   make net               all
#   make net T=portmap     tests/net/portmap.bats
#   make net T=road MBIT=1000 SIZE=1000M
NET_TESTS = $(if $(T),$(T:%=tests/net/%.bats),$(sort $(wildcard tests/net/*.bats)))

$(B)/tests/net/mapper: $(B)/tests/net/mapper.o $(call floor_libs,host)
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^ $(call outside_libs,host)

$(B)/tests/net/road: $(B)/tests/net/road.o
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^

.PHONY: net
net: $(PROGRAMS) $(B)/tests/net/mapper $(B)/tests/net/road
	@MBIT=$(MBIT) SIZE=$(SIZE) P2P_BIN=$(abspath $(B)) bats $(NET_TESTS)
