"""Who answers queries."""
