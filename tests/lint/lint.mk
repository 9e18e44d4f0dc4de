# make lint: every executable file of this folder is a lint. It runs in the root of the tree, says
# FILE:LINE: REASON for what it finds, and ends with 1. `make lint L="floors rings"` runs those.
LINTS = $(if $(L),$(L:%=tests/lint/%),$(sort $(shell find tests/lint -type f -perm -u+x)))

.PHONY: lint
lint:
	@ok=0; bad=0; for l in $(LINTS); do \
	    if CC='$(CC)' B='$(B)' ./$$l; then ok=$$((ok + 1)); \
	    else echo "lint: $$l" >&2; bad=$$((bad + 1)); fi; \
	done; echo "$$ok passed, $$bad failed"; test $$bad -eq 0
