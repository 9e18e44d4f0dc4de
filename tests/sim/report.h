/* The figures of a run and how they are printed; see scenario.h. */
#ifndef P2P_SIM_REPORT_H
#define P2P_SIM_REPORT_H

#include "scenario.h"

#include <stdio.h>

struct scenario_figures *report_new(void);
void report_free(struct scenario_figures *f);
size_t report_count(const struct scenario_figures *f);
size_t report_broken(const struct scenario_figures *f); /* bounds that did not hold */
void report_print(const struct scenario_figures *f, FILE *out);

#endif
