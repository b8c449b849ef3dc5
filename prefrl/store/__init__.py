"""Where trainer and labelers meet: queries, answers, and the segments they are about."""

from prefrl.store.opening import Migration, migrate
from prefrl.store.preferences import Counts, PreferenceStore

__all__ = ["Counts", "Migration", "PreferenceStore", "migrate"]
