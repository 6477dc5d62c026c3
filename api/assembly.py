"""Builds what the service works with: the one place that knows every concrete part."""

from api.parts import Parts
from api.settings import Settings, prepare_data_dir
from api.store import PromptSetStore


def load_parts(settings: Settings) -> Parts:
    """Load model, knowledge and index; takes seconds, and the first time builds the index.

    Raises:
        ConfigurationError: A setting cannot be used.
        CheckpointError, KnowledgeError, CkepeError: What one of the parts could not load.
    """
    prepare_data_dir(settings)
    PromptSetStore(settings.sqlalchemy_url)
    raise NotImplementedError
