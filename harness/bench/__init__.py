"""What a case costs, by pipeline and by stage."""
