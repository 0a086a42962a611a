"""What `procsup search` takes beside its flags.

procsup search --problems=p.jsonl --policy=FOLDER --rm=FOLDER --method=beam --output=s.jsonl \
    --config=configs/search.py --config.tree.width=8
"""

from procsup_jax.jobs.search import SearchSettings
from procsup_jax.settings import to_config


def get_config():
    return to_config(SearchSettings())
