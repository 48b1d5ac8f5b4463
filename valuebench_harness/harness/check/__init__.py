"""The conformance suite: does a steerer do what its interface promises, before any score is believed?"""
