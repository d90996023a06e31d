"""The registry's database: endpoints, algorithms, statuses, requests and A/B tests."""
