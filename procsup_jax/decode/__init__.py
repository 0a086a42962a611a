"""Write solutions with a policy and read reward models, inside compiled programs."""
