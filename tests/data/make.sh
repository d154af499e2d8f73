#!/usr/bin/env bash
# Makes the stores of every schema version in this folder: each with emm1 as of the last commit of that version, with the
# packages of its lock file, from one tree. For a new version add a line and run `tests/data/make.sh N`: existing stores
# are kept as they are. Needs git with the history, Python 3.11 and Rust.
set -euo pipefail
cd "$(dirname "$0")"
data=$PWD
commit_of() {
    case $1 in
        1) echo 6f798130ab5907792f797134855346a37585497a ;;
        2) echo d7d4b59e4f56b826f4718046276408c25cf3f9d0 ;;
        3) echo 4c4514a9b47ef2247b1c7a35cc0cf26f066e7dee ;;
        4) echo 526d8f804b6d0fe3b19d3a454aa937c4b0ba282b ;;
        5) echo d9b6d3b68f9e150518576e5622d0c3000947801e ;;
        6) echo 45dac15edcb4df5313f23a1cfeb50e4f855e7257 ;;
        *) echo "no commit is named for schema version $1" >&2; exit 1 ;;
    esac
}

# A store contains the paths of its files, which should not be those of whoever runs this.
work=/tmp/emm1-stores
rm -rf $work
mkdir -p $work/made
trap 'rm -rf $work; git worktree prune' EXIT
export CARGO_TARGET_DIR=$work/target
for schema in "$@"; do
    git worktree add --quiet --detach $work/source "$(commit_of "$schema")"
    python3 -m venv $work/env
    lock=$work/source/requirements-dev.lock
    if [ ! -e $lock ]; then # since schema version 4 there is only uv.lock
        python3 $work/source/packaging/locked.py uv > $work/uv.txt
        $work/env/bin/python -m pip install --quiet --require-hashes -r $work/uv.txt
        lock=$work/requirements.txt
        $work/env/bin/uv export --quiet --locked --no-emit-project --project $work/source > $lock
    fi
    $work/env/bin/python -m pip install --quiet --require-hashes -r $lock
    PATH=$work/env/bin:$PATH $work/env/bin/python -m pip install --quiet --no-build-isolation --no-deps $work/source
    cd $work/made
    emm1=$work/env/bin/emm1
    if [ -e "$data/tree.tar.xz" ]; then
        tar -xJf "$data/tree.tar.xz"
    else
        $emm1 sample sample --scale 0.0001 --embeddings 8 --seed 17
        tar -cJf "$data/tree.tar.xz" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner sample
    fi
    $emm1 build sample emm1.duckdb
    $emm1 embeddings add emm1.duckdb text sample/embeddings/text.npy --dataset 100m --modality text
    $emm1 embeddings add emm1.duckdb image sample/embeddings/image.npy --dataset 100m --modality image --metric dot
    mkdir -p "$data/schema-$schema"
    xz -9e --stdout emm1.duckdb > "$data/schema-$schema/emm1.duckdb.xz"
    cd "$data"
    git worktree remove --force $work/source
    rm -rf $work/env $work/made/*
done
