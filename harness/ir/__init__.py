"""Intermediate representations: the protocol that checking speaks, and a room for each IR."""
