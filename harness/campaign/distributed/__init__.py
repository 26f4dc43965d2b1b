"""Campaigns on other machines."""
