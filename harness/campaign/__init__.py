"""Campaigns: shards of random cases under a budget, their journal, summary and triage."""
