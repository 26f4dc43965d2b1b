"""Campaigns whose shards are checked on other machines."""
