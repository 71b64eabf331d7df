"""`make reliability`: faults put into a real cluster under load, alerts that really fire, pods that follow
the load; measured, and written into docs/reliability.md.
"""
