"""What people look at: a case in a few lines, the live progress of a campaign, its closing tables."""
