# p2p: peer-to-peer sharing from the command line.
#   make            build the programs             make demo     the main job, before your eyes
#   make check      install what tests need, run   make lint     floors, rings, style, manuals
#   make unit T=x   one floor or one unit test     make fuzz T=bencode
#   make bench      side by side with the others   make install PREFIX= DESTDIR=
#   SAN=address,undefined   CC=clang               variants build in folders of their own

VERSION  := 0.1.0
CC       ?= cc
ifeq ($(origin CC),default)
CC       := cc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
comma    := ,
variant  := $(if $(SAN),-$(subst $(comma),+,$(SAN)))$(if $(filter-out cc gcc,$(CC)),-$(notdir $(CC)))$(if $(COV),-cov)
B        ?= build$(if $(variant),/variant$(variant))

WARN     := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wvla -Wcast-qual
OPT      ?= -O2 -g
ALLFLAGS  = -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DP2P_VERSION='"$(VERSION)"' $(WARN) $(OPT) \
            -fno-common -fstack-protector-strong -ffile-prefix-map=$(CURDIR)=. -Iinclude -Ilib \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
            $(if $(COV),--coverage) $(CFLAGS)
LINKFLAGS = $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage) -Wl,--as-needed $(LDFLAGS)

FLOORS   := base format proto swarm node host engine cli
floor_uses = $(shell sed -n 's/^$(1) *:\([^:]*\):.*/\1/p' lib/FLOORS)
# A floor's archive and those below it, the highest first, as a linker wants them.
floor_libs = $(foreach f,cli engine host node swarm proto format base,$(if $(filter $(f),$(1) $(uses_$(1))),$(B)/lib/$(f).a))
$(foreach f,$(FLOORS) cmd,$(eval uses_$(f) := $(call floor_uses,$(f))))
$(foreach f,$(FLOORS),$(eval src_$(f) := $(sort $(wildcard lib/$(f)/*.c))))

outside_format := -lcrypto -ljansson
outside_host   := -luv -lsqlite3 -lminiupnpc -lnatpmp -lpthread
outside_libs    = $(if $(filter host,$(1) $(uses_$(1))),$(outside_host)) $(if $(filter format,$(1) $(uses_$(1))),$(outside_format)) -lm

CMDS     := $(patsubst cmd/%.c,%,$(sort $(wildcard cmd/p2p*.c)))
PROGRAMS := $(CMDS:%=$(B)/%)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all clean
all: $(PROGRAMS) $(B)/libp2p.a

define floor_rules
obj_$(1) := $$(src_$(1):%.c=$(B)/%.o)
$(B)/lib/$(1).a: $$(obj_$(1))
	@rm -f $$@
	$$(Q)ar rcsD $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_rules,$(f))))

Q := $(if $(V),,@)
$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<")
	$(Q)$(CC) $(ALLFLAGS) -MMD -MP -c -o $@ $<

$(B)/libp2p.a: $(foreach f,$(FLOORS),$(obj_$(f)))
	@rm -f $@
	$(Q)ar rcsD $@ $^

# What several programs share is beside them, without p2p in its name.
$(B)/lib/cmd.a: $(patsubst %.c,$(B)/%.o,$(filter-out cmd/p2p%,$(sort $(wildcard cmd/*.c))))
	@mkdir -p $(@D); rm -f $@
	$(Q)ar rcsD $@ $^

$(PROGRAMS): $(B)/%: $(B)/cmd/%.o $(B)/lib/cmd.a $(foreach f,cli engine host node swarm proto format base,$(B)/lib/$(f).a)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(LINKFLAGS) -o $@ $^ $(outside_host) $(outside_format) -lm

# The main job on a fresh machine: installs what is missing, builds, adds, seeds, fetches, compares.
.PHONY: demo
demo:
	@tests/need build demo
	@$(MAKE) --no-print-directory all
	@B='$(B)' tests/demo

.PHONY: install uninstall
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
install: all
	install -d $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man7 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -s $(PROGRAMS) $(BINDIR)
	install -m 644 man/*.1 $(MANDIR)/man1
	install -m 644 man/*.5 $(MANDIR)/man5
	install -m 644 man/*.7 $(MANDIR)/man7
	$(MAKE) --no-print-directory install-completions install-units

# Units for a user's systemd: those who have another service manager lose nothing by four files.
UNITS   := $(notdir $(wildcard systemd/*))
UNITDIR  = $(DESTDIR)$(PREFIX)/lib/systemd/user
.PHONY: install-units
install-units:
	install -d $(UNITDIR)
	for u in $(UNITS); do sed 's|@BINDIR@|$(PREFIX)/bin|' systemd/$$u >$(UNITDIR)/$$u && \
	    chmod 644 $(UNITDIR)/$$u || exit 1; done

# Bash and fish look for a file named as the command; all of ours are in one.
BASHCOMP = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHCOMP  = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHCOMP = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
.PHONY: install-completions
install-completions:
	install -d $(BASHCOMP) $(ZSHCOMP) $(FISHCOMP)
	install -m 644 completions/p2p.bash $(BASHCOMP)/p2p
	install -m 644 completions/_p2p $(ZSHCOMP)/_p2p
	install -m 644 completions/p2p.fish $(FISHCOMP)/p2p.fish
	for p in $(filter-out p2p,$(CMDS)); do ln -sf p2p $(BASHCOMP)/$$p && \
	    ln -sf p2p.fish $(FISHCOMP)/$$p.fish || exit 1; done

uninstall:
	rm -f $(CMDS:%=$(BINDIR)/%) $(CMDS:%=$(MANDIR)/man1/%.1) $(patsubst man/%,$(MANDIR)/man5/%,$(wildcard man/*.5)) \
	    $(patsubst man/%,$(MANDIR)/man7/%,$(wildcard man/*.7)) \
	    $(CMDS:%=$(BASHCOMP)/%) $(ZSHCOMP)/_p2p $(CMDS:%=$(FISHCOMP)/%.fish) $(UNITS:%=$(UNITDIR)/%)

clean:
	rm -rf build

include tests/tests.mk
-include $(shell find $(B) -name '*.d' 2>/dev/null)
