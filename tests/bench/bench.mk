# Side by side with other clients: tables, never a verdict (tests/bench/README.md).
#   make bench      all experiments with 1 GiB, three rounds; QUICK=1: in two minutes
#   ONLY=transfer,crowd   SIZE=256Mi   RUNS=5

.PHONY: bench need-bench
bench: need-bench $(PROGRAMS) $(B)/tests/net/road
	@P2P_BIN=$(abspath $(B)) QUICK='$(QUICK)' SIZE='$(SIZE)' RUNS='$(RUNS)' ONLY='$(ONLY)' tests/bench/run
need-bench:
	@tests/need build bench

# Instructions per MiB of the hot paths beside those in tests/bench/counts.
$(B)/tests/bench/paths: $(B)/tests/bench/paths.o $(B)/tests/tube.a $(call floor_libs,node)
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^ $(call outside_libs,node)

.PHONY: count
count: $(B)/tests/bench/paths $(PROGRAMS)
	@P2P_BIN=$(abspath $(B)) tests/bench/count
