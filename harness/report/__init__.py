"""Reports for people: the live progress of a campaign, its closing report, one case, and a corpus."""
