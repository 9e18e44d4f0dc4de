# Side by side with other clients: tables, never a verdict.
#   make bench      1 GiB, five runs      QUICK=1, SIZE=256Mi, RUNS=3: less

.PHONY: bench
bench: $(PROGRAMS)
	@P2P_BIN=$(abspath $(B)) QUICK=$(QUICK) SIZE=$(SIZE) RUNS=$(RUNS) tests/bench/run

# Instructions per MiB of the hot paths beside those in tests/bench/counts.
$(B)/tests/bench/paths: $(B)/tests/bench/paths.o $(B)/tests/tube.a $(call floor_libs,node)
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^ $(call outside_libs,node)

.PHONY: count
count: $(B)/tests/bench/paths $(PROGRAMS)
	@P2P_BIN=$(abspath $(B)) tests/bench/count
