#!/usr/bin/env bash
# transformers 5.23.0, tokenizers as it asks for, Python 3.11
#
# A folder that a model was saved to, without its tokenizer, has a config.json and weights.
# AutoTokenizer.from_pretrained(folder) gives a tokenizer of the model's class without vocabulary
# there, and no error or warning: of any text each word is unknown. A model that is explained with it
# gets the same tokens for every sentence of a length:
#
#   BertTokenizer of 5 tokens
#   a good film: ['[CLS]', '[UNK]', '[UNK]', '[UNK]', '[SEP]']
#   a bad film: ['[CLS]', '[UNK]', '[UNK]', '[UNK]', '[SEP]']
#
# The script fails if that changes.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0

cat > "$folder/try.py" <<'PY'
import sys

from transformers import AutoTokenizer, BertConfig

BertConfig(vocab_size=30522).save_pretrained(sys.argv[1])  # as a model's save_pretrained does
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
print(f"{type(tokenizer).__name__} of {len(tokenizer)} tokens")
for text in ("a good film", "a bad film"):
    print(f"{text}: {tokenizer.convert_ids_to_tokens(tokenizer(text)['input_ids'])}")
PY

"$folder/venv/bin/python" "$folder/try.py" "$folder/model" 2>/dev/null | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
BertTokenizer of 5 tokens
a good film: ['[CLS]', '[UNK]', '[UNK]', '[UNK]', '[SEP]']
a bad film: ['[CLS]', '[UNK]', '[UNK]', '[UNK]', '[SEP]']
SEEN
