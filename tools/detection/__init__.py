"""The parts of detection_page.py: the figures, the tables, the drawing."""
