# What a person needs:   make   make demo   make test        `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := all

PYTHON ?= python3
# cpu or cuda: which native libraries are staged; once staged, they stay until the other kind is asked for.
RUNTIME ?= $(or $(firstword $(shell cat runtime/staged 2>/dev/null)),cpu)
# A folder with the four idx files of Fashion-MNIST; empty fetches Debian's package.
FASHION_MNIST ?=
# Cuts the demo's runs to this many epochs; empty runs them to the end of their planned work.
EPOCHS ?=
FOLDER ?= demo
# Where `make install` puts things, and what goes before that for a package.
PREFIX ?= /usr/local
DESTDIR ?=
# A list of JPEG photographs for bench-mine; empty makes one of Debian's wallpapers.
JPEGS ?=
# What bench-accuracy trains: fashion-convnet, fashion-resnet18 or photos-efficientnet.
TASK ?= fashion-convnet
# What `make fuzz` runs, and each for so many seconds.
FUZZ ?= cache config external image manifest onnx pool reviews samples scores
FUZZ_SECONDS ?= 600

CARGO := cargo
BINARIES := target/release/gleaner target/release/gleaner-trainer

.PHONY: all help runtime build install deb data conformance demo bench-mine bench-cluster bench-pool bench-finds bench-accuracy bench-suspects bench-train bench-train-gpu bench-learning bench-timm test fuzz lint clean

all: build  ## stage the native libraries and build both programs

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

runtime:  ## stage ONNX Runtime and libtorch under runtime/ (RUNTIME=cpu|cuda), once
	@$(PYTHON) scripts/stage_runtime.py $(RUNTIME) runtime

build: runtime  ## build gleaner and gleaner-trainer
	$(CARGO) build --release --locked --workspace

install:  ## install what `make` has built, under PREFIX [/usr/local], in DESTDIR
	@scripts/install.sh "$(PREFIX)" "$(DESTDIR)"

deb: build  ## a Debian package, target/gleaner_VERSION_ARCHITECTURE.deb
	@scripts/deb.sh target

data:  ## Fashion-MNIST as PNG files and lists under data/fashion-mnist (FASHION_MNIST=FOLDER with idx files)
	@$(PYTHON) scripts/fashion_mnist.py data/fashion-mnist $(FASHION_MNIST)

conformance:  ## ONNX's own test cases of its operators under data/conformance and its checker under data/checker, once
	@$(PYTHON) scripts/stage_conformance.py data/conformance
	@$(PYTHON) scripts/stage_checker.py data/checker

demo: build data  ## confidence, uniform and patent at the same cost on Fashion-MNIST (EPOCHS=n cuts them)
	@$(PYTHON) scripts/demo.py --folder $(FOLDER) $(if $(EPOCHS),--epochs $(EPOCHS))

bench/venv: bench/requirements.txt
	$(PYTHON) -m venv bench/venv
	bench/venv/bin/pip install -r bench/requirements.txt
	@touch bench/venv

bench-pool: runtime data bench/venv  ## ten million images: load, choose, publish; against pyarrow, polars and pandas
	$(CARGO) build --release --locked -p gleaner --bin gleaner --example bench-pool
	bench/venv/bin/python bench/pool.py

bench/venv/torch: bench/venv bench/requirements-torch.txt
	bench/venv/bin/pip install -r bench/requirements-torch.txt
	@touch $@

bench-mine: build data bench/venv/torch  ## the scan beside what bounds it, Python and a DataLoader (JPEGS=list of your own)
	$(CARGO) build --release --locked --package gleaner --example bench-mine
	bench/venv/bin/python bench/graphs.py bench/data/graphs
	$(if $(JPEGS),,bench/venv/bin/python bench/jpegs.py bench/data/jpegs)
	bench/venv/bin/python bench/mine.py $(if $(JPEGS),--jpegs $(JPEGS))

bench-train: build bench/venv/torch  ## the training step beside PyTorch's, alone and fed with JPEG files (JPEGS=list of your own)
	$(CARGO) build --release --locked --package gleaner-trainer --example bench-train
	bench/venv/bin/python bench/train_networks.py bench/data/train/graphs
	$(if $(JPEGS),,bench/venv/bin/python bench/jpegs.py bench/data/jpegs)
	bench/venv/bin/python bench/train.py $(if $(JPEGS),--jpegs $(JPEGS))

bench-train-gpu: build bench/venv/torch  ## the training step beside PyTorch's on an NVIDIA GPU (make RUNTIME=cuda first)
	$(CARGO) build --release --locked --package gleaner-trainer --example bench-train
	bench/venv/bin/python bench/train_networks.py bench/data/train/graphs
	bench/venv/bin/python bench/train_gpu.py

bench-learning: build data bench/venv/torch  ## a network trained here and by PyTorch with one recipe: test accuracy (hours; goes on where it ended)
	bench/venv/bin/python bench/learning.py

bench-timm: build bench/venv/torch  ## which of timm's networks train as in PyTorch (an hour; goes on where it ended)
	bench/venv/bin/python bench/timm_networks.py

bench-cluster: build data bench/venv  ## clustering beside scikit-learn and faiss, on embeddings of real images
	$(CARGO) build --release --locked --package gleaner --example bench-cluster
	bench/venv/bin/python bench/cluster.py

bench-finds: build data bench/venv  ## finds per forward of the policy patent, against a scan in random order (half an hour)
	bench/venv/bin/python bench/finds.py

bench-accuracy: build data bench/venv $(if $(filter photos-%,$(TASK)),bench/venv/torch)  ## accuracy at a given cost, arm by arm and seed by seed (TASK=...; days; goes on where it ended)
	$(if $(filter photos-%,$(TASK)),bench/venv/bin/python bench/photos.py bench/data/photos)
	bench/venv/bin/python bench/accuracy.py run --task $(TASK)
	bench/venv/bin/python bench/accuracy.py table
	bench/venv/bin/python bench/accuracy_curves.py

bench-suspects: build data bench/venv  ## suspects of wrong labels, against cleanlab (a day; goes on where it ended)
	bench/venv/bin/python bench/suspects.py

lint: runtime  ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings

test: build data conformance lint  ## lints and all tests
	$(CARGO) test --release --locked --workspace

# Needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`. With AddressSanitizer; a single allocation of 2 GiB
# is a finding as well. The first finding ends it.
fuzz:  ## made-up files for every reader of files, each for FUZZ_SECONDS=600 (FUZZ=image for only one)
	$(CARGO) +nightly fuzz build
	for target in $(FUZZ); do \
	    mkdir -p fuzz/corpus/$$target; \
	    $(CARGO) +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -print_final_stats=1; \
	done

clean:  ## remove what was built; staged libraries and data stay
	$(CARGO) clean
