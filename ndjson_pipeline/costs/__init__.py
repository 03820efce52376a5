"""What the pipeline costs, as a plan: prices, how a day goes, and its bill; pure, without AWS."""
