"""Adversarial games: players, turns, the step that plays them, and how players move."""
