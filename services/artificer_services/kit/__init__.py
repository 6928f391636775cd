"""What services share: errors and their statuses, paging, lifecycle, pages, settings, periodic work, databases.

Knows no service. Import the modules one by one: worker processes need only a few of them.
"""
