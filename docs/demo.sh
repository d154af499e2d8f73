# The demo, which `make demo` runs: it writes to ./demo, and shows each command before it runs it.
set -e
while IFS= read -r command; do
    printf '\n$ %s\n' "$command"
    eval "$command" < /dev/null
done <<'END'
emm1 sample demo/sample --media
emm1 build demo/sample demo/emm1.duckdb
emm1 embeddings add demo/emm1.duckdb text demo/sample/embeddings/text.npy --dataset 100m --modality text
emm1 embeddings add demo/emm1.duckdb image demo/sample/embeddings/image.npy --dataset 100m --modality image
emm1 sql demo/emm1.duckdb "SELECT nn_index, image_file_path, caption FROM groups_of([0]) ORDER BY ALL LIMIT 3"
emm1 sql demo/emm1.duckdb "SELECT paired_modality, annotated_modality, annotation_label, caption FROM triplets LIMIT 3"
emm1 search demo/emm1.duckdb text --id 0 -k 5
emm1 eshot demo/emm1.duckdb --audio demo/sample/embeddings/eshot_audio.npy --points demo/sample/embeddings/eshot_points.npy --output demo/eshot > demo/eshot.txt
tail -n 24 demo/eshot.txt
emm1 embeddings add demo/emm1.duckdb captions demo/sample/embeddings/1m/text.npy --dataset 1m --modality text --model sample
emm1 embeddings add demo/emm1.duckdb clips demo/sample/embeddings/1m/audio.npy --dataset 1m --modality audio --model sample
emm1 evaluate demo/emm1.duckdb --model sample --output demo/evaluation > demo/evaluation.txt
head -n 15 demo/evaluation.txt
END
cat <<'END'

The demo is in ./demo; open demo/evaluation/evaluation.html and demo/eshot/report.html in a browser.
To look at the dataset, run `. .venv/bin/activate` and `emm1 explore demo/emm1.duckdb`. Try next:

. .venv/bin/activate
emm1 info demo/emm1.duckdb
emm1 search demo/emm1.duckdb image --id 7 -k 5 --exclude-self
emm1 retrieval demo/emm1.duckdb captions clips --by source_dataset
emm1 sql demo/emm1.duckdb "SELECT source_dataset, count(*) AS items FROM assets GROUP BY ALL ORDER BY ALL"
python -c "import emm1; print(emm1.open('demo/emm1.duckdb', read_only=True).groups(nn_index=1))"
END
