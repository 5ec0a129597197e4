"""What tests share: clients, servers on loopback, sample calls, rules and visitors."""
