"""The torch and picture code behind the nodes; imported only inside functions."""
