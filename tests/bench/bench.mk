# Side by side with other clients: tables, never a verdict.
#   make bench      1 GiB, five runs      QUICK=1, SIZE=256Mi, RUNS=3: less

.PHONY: bench
bench: $(PROGRAMS)
	@P2P_BIN=$(abspath $(B)) QUICK=$(QUICK) SIZE=$(SIZE) RUNS=$(RUNS) tests/bench/run
