"""How a fault gets into a healthy spec: one module for each family of rules, one function for each fault."""
