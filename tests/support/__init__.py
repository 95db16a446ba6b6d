"""What tests of several folders share: the template as data, an AWS made from it in this process, fakes, a world."""
