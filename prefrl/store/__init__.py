"""The preference store, shared by trainer and labelers: queries, answers, and their segments."""

from prefrl.store.opening import Migration, migrate
from prefrl.store.preferences import Counts, PreferenceStore

__all__ = ["Counts", "Migration", "PreferenceStore", "migrate"]
