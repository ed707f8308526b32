"""What happens when: a cycle, the loop, the command line. It reaches the world through ports only."""
