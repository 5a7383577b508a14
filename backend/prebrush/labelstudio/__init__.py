"""The adapter: Label Studio's wire format to and from the nouns of `prebrush.datatypes`; no network, no disk."""
