"""What `procsup sample` takes beside its flags.

procsup sample --problems=p.jsonl --policy=FOLDER --output=s.jsonl --config=configs/sample.py --config.lanes=32
"""

from procsup_jax.jobs.sample import SampleSettings
from procsup_jax.settings import to_config


def get_config():
    return to_config(SampleSettings())
