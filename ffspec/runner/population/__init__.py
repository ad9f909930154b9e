"""Many networks trained together: the members of a population, each of which is what its single run would be."""

from ffspec.runner.population.grouping import Group, groups
from ffspec.runner.population.members import Member, Observe, Trained, member_of
from ffspec.runner.population.stages import train_in_stages
from ffspec.runner.population.together import train_together

__all__ = ["Group", "Member", "Observe", "Trained", "groups", "member_of", "train_in_stages", "train_together"]
