# make sim: the scenarios in the test tube, at sizes for make check; each as a table.
#   make sim SCENARIO=two SEED=7 SEEDS=3 N=20 SVG=two.svg     make sim-long: big, many seeds
SIM_SRC := $(sort $(wildcard tests/sim/scenario_*.c))
SIM_RUN  = $(B)/tests/sim/run $(if $(SCENARIO),--scenario=$(SCENARIO)) $(if $(SEED),--seed=$(SEED)) \
           $(if $(SEEDS),--seeds=$(SEEDS)) $(if $(N),--size=$(N)) $(if $(SVG),--svg=$(SVG)) \
           $(if $(JOBS),--jobs=$(JOBS))

$(B)/tests/sim/run: $(SIM_SRC:%.c=$(B)/%.o) $(B)/tests/tube.a $(call floor_libs,node)
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^ $(call outside_libs,node)

.PHONY: sim sim-long sim-build
sim-build: $(B)/tests/sim/run
sim: sim-build
	@$(SIM_RUN)
sim-long: SEEDS ?= 5
sim-long: sim-build
	@$(SIM_RUN) --long
